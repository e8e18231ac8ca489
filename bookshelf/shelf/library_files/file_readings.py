"""Makes the readings of a book from the states, dates, counts and ratings of a record."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.dates import Dates, Span, read_dates
from bookshelf.shelf.library_files.entry import FileReading, ListPlace
from bookshelf.shelf.library_files.format import Cell, Fields
from bookshelf.shelf.library_files.setting import Setting
from bookshelf.shelf.library_files.states import FileState, fold_state, is_shelf, is_yes, state_of
from bookshelf.shelf.library_files.text import one_line, quoted, shown
from bookshelf.shelf.library_files.values import parse_stars, whole_number
from bookshelf.shelf.limits import READINGS_MAX
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.values import is_before

_NO_DATE = frozenset(
    {"-", "n/a", "na", "none", "null", "never", "no", "nan", "nat", "0", "0000-00-00", "0000"}
)
_OPEN = {FileState.READING, FileState.RE_READING, FileState.PAUSED}
_OWNED = frozenset({"owned", "own", "i own it", "i own this", "im besitz", "possédé", "your library"})
_PRIORITY = (
    FileState.PAUSED,
    FileState.RE_READING,
    FileState.READING,
    FileState.ABANDONED,
    FileState.FINISHED,
    FileState.WANTED,
    FileState.UNREAD,
)
"""Of several states of one book, the first of these is its state: an open reading is the newest."""


class ReadingHistory:
    """The readings of one record. `lists` are the lists that its words for states and shelves name."""

    def __init__(self, fields: Fields, setting: Setting, warnings: list[Phrase]) -> None:
        """Take the fields of a record; sentences on what is left out go to `warnings`."""
        self._fields = fields
        self._setting = setting
        self._warnings = warnings
        self.lists: list[ListPlace] = []
        self.owned: bool | None = None
        self._states: set[FileState] = set()

    def readings(self) -> list[FileReading]:
        """Return the readings in the sequence of time, those without a date first and an open one last."""
        self._read_states()
        self._read_flags()
        finished = self._dates("finished")
        stopped = self._dates("stopped")
        ranges = [Span(*part) for cell in self._fields.get("ranges", ()) for part in [_range(cell.text)]]
        ended = sorted({span for span in [*finished, *ranges] if span.ended}, key=_by_end)
        starts = sorted({span.ended or span.started or "" for span in self._dates("started")} - {""})
        starts += [span.started for span in [*finished, *ranges] if not span.ended and span.started]
        ended = self._unique(ended)
        abandoned = sorted({span for span in stopped if span.ended}, key=_by_end)
        ended, abandoned, rest = _paired(ended, abandoned, sorted(starts))
        readings = [
            *(self._closed(span, "finished") for span in ended),
            *(self._closed(span, "abandoned") for span in abandoned),
        ]
        readings.sort(key=lambda reading: (reading.ended or "", reading.started or ""))
        return self._completed(readings, rest)

    def _completed(self, readings: list[FileReading], rest: list[str]) -> list[FileReading]:
        """Add what the state and the count have beyond the dates; `rest` are starts without an end."""
        state = next((state for state in _PRIORITY if state in self._states), None)
        if state is FileState.ABANDONED and not any(reading.end == "abandoned" for reading in readings):
            readings = self._last_abandoned(readings, rest)
        elif state is FileState.FINISHED and not any(reading.end == "finished" for reading in readings):
            readings = [self._undated("finished", rest), *readings]
        elif state is FileState.RE_READING and not readings:
            readings = [FileReading()]
        if state is FileState.FINISHED:
            readings += [self._undated("finished", rest) for _ in tuple(rest)]
        in_progress = state in _OPEN or (rest and state is None)
        start = rest.pop() if rest and in_progress else None
        opened = FileReading(end="open", paused=state is FileState.PAUSED, started=start)
        wanted = self._count() - len(readings) - bool(in_progress)
        readings = [*([FileReading()] * wanted), *readings, *([opened] if in_progress else [])]
        for start in rest:
            left_out = phrase("started {day} left out: the state leaves no reading for it", day=start)
            self._warnings.append(left_out)
        return readings

    def _last_abandoned(self, readings: list[FileReading], rest: list[str]) -> list[FileReading]:
        if readings and readings[-1].ended and not (rest and is_before(readings[-1].ended, rest[-1])):
            return [*readings[:-1], msgspec.structs.replace(readings[-1], end="abandoned")]
        return [*readings, self._undated("abandoned", rest)]

    def _undated(self, end: str, rest: list[str]) -> FileReading:
        start = rest.pop() if rest else None
        return FileReading(end="abandoned" if end == "abandoned" else "finished", started=start)

    def _closed(self, span: Span, end: str) -> FileReading:
        started = span.started
        if started and span.ended and is_before(span.ended, started):
            self._warnings.append(
                phrase("started {day} left out: it lies after the end {end}", day=started, end=span.ended)
            )
            started = None
        kind = self._undated(end, [])
        return msgspec.structs.replace(kind, started=started, ended=span.ended)

    def _unique(self, ended: list[Span]) -> list[Span]:
        """Leave out an end without a start that a finer date or a range already has."""
        fuller = [span for span in ended if span.started]
        single = [span for span in ended if not span.started]
        own = {span.ended for span in fuller}
        kept = [span for span in single if span.ended not in own]
        days = {
            (span.ended or "")[:length]
            for span in [*fuller, *kept]
            for length in (4, 7)
            if len(span.ended or "") > length
        }
        return sorted([*fuller, *(span for span in kept if span.ended not in days)], key=_by_end)

    def _count(self) -> int:
        for cell in self._fields.get("count", ())[:1]:
            count = whole_number(cell.text)
            if count is None or count > READINGS_MAX:
                self._warnings.append(
                    phrase(
                        "{column} {value} left out: at most {most} readings",
                        column=cell.column,
                        value=quoted(cell.text),
                        most=READINGS_MAX,
                    )
                )
                return 0
            return count
        return 0

    def _read_states(self) -> None:
        for cell in self._fields.get("state", ()):
            if not self._add_state(cell.text):
                self._add_words(cell)
        for cell in self._fields.get("shelves", ()):
            for word in cell.text.split(","):
                self._add_shelf(word.strip())
        if not self._states and "state" not in self._fields and not self._setting.form.exact:
            for cell in self._fields.get("tags", ()):
                for tag in self._setting.form.split_tags(cell.text):
                    if is_shelf(tag):
                        self._add_state(tag)

    def _add_words(self, cell: Cell) -> None:
        """Take the states of a cell that names several; a word that is none becomes a list and is named."""
        words = self._setting.form.split_tags(cell.text)
        if not any(state_of(word) or fold_state(word) in _OWNED for word in words):
            words = [cell.text]
        for word in words:
            if word.strip() and not self._add_state(word):
                name = one_line(word, exact=False)
                self._add_list(name)
                in_list = phrase(
                    "{name} is no known state: the book is in a list of this name", name=shown(name)
                )
                self._warnings.append(in_list)

    def _add_state(self, word: str) -> bool:
        if fold_state(word) in _OWNED:
            self.owned = True
            return True
        state = state_of(word)
        if state is None:
            return False
        self._states.add(state)
        if state is FileState.WANTED:
            self._add_list(UP_NEXT)
        if "own" in word.casefold() and "(" in word:
            self.owned = True
        return True

    def _add_shelf(self, word: str) -> None:
        if word.casefold() == "read but unowned":
            self.owned = False
            self._states.add(FileState.FINISHED)
        elif word and not self._add_state(word):
            self._add_list(one_line(word, exact=False))

    def _add_list(self, name: str) -> None:
        if all(place.name != name for place in self.lists):
            self.lists.append(ListPlace(name))

    def _read_flags(self) -> None:
        """Take yes-or-no columns; a date in one is a date of finishing."""
        for cell in self._fields.get("read", ()):
            yes = is_yes(cell.text)
            if yes is None and any(map(str.isdigit, cell.text)):
                self._fields.setdefault("finished", []).append(cell)
            elif yes is None:
                neither = phrase("{value} left out: neither yes nor no", value=quoted(cell.text))
                self._warnings.append(neither)
            elif yes:
                self._states.add(FileState.FINISHED)

    def _dates(self, name: str) -> list[Span]:
        spans: list[Span] = []
        for cell in self._fields.get(name, ()):
            if cell.text.strip().casefold() in _NO_DATE:
                continue
            spans.extend(self._spans(cell, name))
        return spans

    def _spans(self, cell: Cell, name: str) -> Iterator[Span]:
        dates = read_dates(cell.text, day_first=self._setting.day_first)
        if dates is None:
            destroyed = set(cell.text.strip()) == {"#"}
            why = phrase("a spreadsheet has destroyed it") if destroyed else phrase("is no date")
            self._leave_out(cell, why, name)
            return
        self._note(cell, dates)
        latest = self._setting.options.today + timedelta(days=1)
        for span in dates.spans:
            if is_before(latest.isoformat(), span.ended or span.started or ""):
                self._leave_out(cell, phrase("lies in the future"), name)
            else:
                yield span

    def _note(self, cell: Cell, dates: Dates) -> None:
        if dates.assumed and not self._setting.sure:
            note = phrase("{text} read as {days}: no date in the file proves the order of day and month")
        elif dates.loose:
            note = phrase("{text} read as {days}")
        else:
            return
        days = tuple(filter(None, (day for span in dates.spans for day in span)))
        self._warnings.append(note.with_values(text=shown(cell.text), days=days))

    def _leave_out(self, cell: Cell, why: Phrase, name: str) -> None:
        if name == "started":
            note = phrase("{column} {value} left out: {why}", column=cell.column)
        elif name == "finished":
            self._states.add(FileState.FINISHED)
            note = phrase("read, but on no known day: {value} {why}")
        else:
            self._states.add(FileState.ABANDONED)
            note = phrase("stopped, but on no known day: {value} {why}")
        self._warnings.append(note.with_values(value=quoted(cell.text), why=why))

    def stars(self) -> float | None:
        """Return the record's rating."""
        setting = self._setting
        for cell in self._fields.get("rating", ())[:1]:
            return parse_stars(cell.text, setting.scale, self._warnings) if setting.scale else None
        return None


def _by_end(span: Span) -> tuple[str, str]:
    return span.ended or "", span.started or ""


def _range(text: str) -> tuple[str | None, str | None]:
    started, _, ended = text.partition("..")
    return started or None, ended or None


def _paired(
    ended: list[Span], abandoned: list[Span], starts: list[str]
) -> tuple[list[Span], list[Span], list[str]]:
    """Give each start to the first end after it that has none; return the starts that are left."""
    rest: list[str] = []
    for start in reversed(starts):
        for spans in (ended, abandoned):
            index = next(
                (
                    place
                    for place, span in enumerate(spans)
                    if span.started in (None, start) and not is_before(span.ended or "", start)
                ),
                None,
            )
            if index is not None:
                spans[index] = Span(start, spans[index].ended)
                break
        else:
            rest.insert(0, start)
    return ended, abandoned, rest
