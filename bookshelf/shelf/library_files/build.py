"""Turns the fields of one record into an entry, or into a refusal whose reason is what to correct."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf import limits
from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.isbn import isbn_title, to_isbn13
from bookshelf.shelf.library_files.contributors import read_contributors
from bookshelf.shelf.library_files.dates import read_dates
from bookshelf.shelf.library_files.entry import Entry, FileReading, ListPlace, Refusal
from bookshelf.shelf.library_files.file_readings import ReadingHistory
from bookshelf.shelf.library_files.format import EXTRA, Cell, Fields
from bookshelf.shelf.library_files.setting import Setting
from bookshelf.shelf.library_files.states import is_yes, state_of
from bookshelf.shelf.library_files.text import cut, decode_twice_encoded, many_lines, one_line, quoted
from bookshelf.shelf.library_files.values import choose_isbn, choose_tags, whole_number
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.values import Contributor, SeriesEntry, derived_author, is_before

_YEAR = re.compile(r"(-?\d{1,4})\.0+")
_OUR_ISBN = re.compile(r"[0-9X]{10}|[0-9X]{13}|[0-9][0-9 -]{8,15}[0-9Xx]")  # the last: as in field_types.py
_BLANK = {"0", "0.0", "-", "0000-00-00"}
_PLACE = re.compile(r"\s*(.*?)\s*\(#(\d+)\)\s*(?:,|$)")
_SERIES = re.compile(r"(.*?)(?:,?\s*\(?#\s*([\w.,\-–/ ]+?)\)?|\s*\(([\d.]+)\))?\s*$")
_SCHEME = re.compile(r"[a-z][a-z0-9_-]*")
_FORMATS = {
    "digital": "ebook",
    "e book": "ebook",
    "ebook": "ebook",
    "audio": "audiobook",
    "audio book": "audiobook",
    "audiobook": "audiobook",
    "hard cover": "hardcover",
    "hardback": "hardcover",
    "hardcover": "hardcover",
    "paperback": "paperback",
    "softcover": "paperback",
    "soft cover": "paperback",
    "physicalbook": "physical book",
}


def build(line: int, fields: Fields, raw: tuple[str, ...], setting: Setting) -> Entry | Refusal:
    """Return the entry or the refusal of the fields; the fields may be changed."""
    if setting.options.repair_encoding:
        for name, cells in fields.items():
            fields[name] = [Cell(cell.column, decode_twice_encoded(cell.text)) for cell in cells]
    setting.form.adapt(fields)
    if any(is_yes(cell.text) for cell in fields.pop("deleted", ())):
        reason = phrase("{program} has marked the book as deleted", program=setting.form.name)
        return Refusal(line, reason, raw)
    return _Record(line, fields, raw, setting).entry()


def _name_fault(title: str, author: str) -> Phrase | None:
    """Return what is to be corrected of a title and an author."""
    named = ((phrase("title"), title, limits.TITLE_MAX), (phrase("author"), author, limits.AUTHOR_MAX))
    for name, text, most in named:
        if len(text) > most:
            too_long = phrase("the {name} has {count} characters, {most} are allowed: shorten it", name=name)
            return too_long.with_values(count=len(text), most=most)
    return None if title.strip() else phrase("the title is blank: fill it in")


class _Record:
    """The fields of one record while they are read; warnings and extra values are collected on the way."""

    def __init__(self, line: int, fields: Fields, raw: tuple[str, ...], setting: Setting) -> None:
        self._line = line
        self._fields = fields
        self._raw = raw
        self._setting = setting
        self._exact = setting.form.exact
        self._warnings: list[Phrase] = []
        self._extra: dict[str, str] = {}

    def entry(self) -> Entry | Refusal:
        isbn = self._isbn()
        title = self._first("title") or (isbn_title(isbn) if isbn else "")
        people = self._people()
        author = derived_author(people)
        if (fault := _name_fault(title, author if len(people) == 1 else "")) is not None:
            return Refusal(self._line, fault, self._raw)
        history = ReadingHistory(self._fields, self._setting, self._warnings)
        readings, opinion = self._opinion(history)
        given = {"title": title, "author": author, "isbn": isbn, **self._book(history, people)}
        lists = self._lists(history)
        given["extra"] = self._extras()
        book = BookFields(**{name: value for name, value in given.items() if value not in (None, "", (), {})})
        return Entry(
            line=self._line,
            book=book,
            id=self._first("id") or None,
            added=self._added(),
            readings=readings,
            lists=lists,
            warnings=tuple(dict.fromkeys(self._warnings)),
            raw=self._raw,
            **opinion,
        )

    def _book(self, history: ReadingHistory, people: tuple[Contributor, ...]) -> dict[str, Any]:
        plain_author = len(people) == 1 and people[0] == Contributor(people[0].name)
        return {
            "contributors": () if self._exact or plain_author else people,
            "subtitle": self._line_of(phrase("subtitle"), limits.NAME_MAX),
            "sort_title": self._sort_title(),
            "published": self._published(phrase("published")),
            "first_published": self._published(phrase("first published")),
            "publisher": self._line_of(phrase("publisher"), limits.NAME_MAX),
            "pages": self._number(phrase("pages"), limits.PAGES_MIN, limits.PAGES_MAX),
            "minutes": self._minutes(),
            "language": self._language(),
            "format": self._format(),
            "series": self._series(),
            "tags": self._tags(),
            "notes": self._text(phrase("notes"), limits.NOTES_MAX),
            "description": self._text(phrase("description"), limits.DESCRIPTION_MAX),
            "ids": self._ids(),
            "work": self._line_of(phrase("work"), limits.ID_MAX),
            "copies": self._copies(history),
            "location": self._line_of(phrase("location"), limits.NAME_MAX),
            "lent_to": self._line_of(phrase("lent to"), limits.NAME_MAX),
            "lent_on": self._day("lent on"),
        }

    def _first(self, name: str) -> str:
        """Return the first value of a field on one line; others that differ from it are kept as extra."""
        chosen = ""
        for cell in self._fields.get(name, ()):
            text = one_line(cell.text, exact=self._exact)
            if not chosen:
                chosen = text
            elif text.casefold() != chosen.casefold():
                self._keep(cell)
        return chosen

    def _keep(self, cell: Cell) -> None:
        """Keep a value under its column's name."""
        name = one_line(cell.column, exact=False)
        text = many_lines(cell.text, exact=self._exact, markup=False)
        before = self._extra.get(name)
        self._extra[name] = f"{before}\n{text}" if before and before != text else text

    def _line_of(self, field: Phrase, longest: int) -> str | None:
        """Return a value on one line; `field` is the name of the field and how a warning names it."""
        return self._short(field, self._first(field.template), longest)

    def _short(self, field: Phrase, value: str, longest: int) -> str | None:
        if len(value) <= longest:
            return value or None
        too_long = phrase("{field} {value} left out: longer than {most} characters")
        self._warnings.append(too_long.with_values(field=field, value=repr(value), most=longest))
        return None

    def _published(self, field: Phrase) -> str | None:
        """Return the date as it was given; 2008.0 is what a spreadsheet makes of 2008."""
        value = self._line_of(field, limits.PUBLISHED_MAX) or ""
        if not self._exact:
            value = _YEAR.sub(r"\1", value)
            value = "" if value in _BLANK else value
        return value or None

    def _isbn(self) -> str:
        cells = self._fields.get("isbn", [])
        if cells and self._exact and _OUR_ISBN.fullmatch(cells[0].text):
            return cells[0].text
        isbn = choose_isbn((cell.text for cell in cells), self._warnings)
        for cell in cells if len(cells) > 1 else ():
            other = choose_isbn([cell.text], [])
            if other and to_isbn13(other) != to_isbn13(isbn):
                self._keep(cell)
        return isbn

    def _people(self) -> tuple[Contributor, ...]:
        first = self._first("author")
        if self._exact:
            return (Contributor(first),) if first.strip() else ()
        return read_contributors(self._fields, self._setting.form, self._warnings)

    def _sort_title(self) -> str | None:
        sort = self._line_of(phrase("sort title"), limits.NAME_MAX)
        return sort if sort != self._first("title") else None

    def _number(self, field: Phrase, least: int, most: int) -> int | None:
        cells = self._fields.get(field.template, ())
        chosen = None
        for cell in cells:
            value = None if cell.text.strip() in _BLANK else whole_number(cell.text)
            if cell.text.strip() in _BLANK:
                continue
            if value is None or not least <= value <= most:
                no_number = phrase("{field} {value} left out: not a number from {least} to {most}")
                given = quoted(cell.text)
                self._warnings.append(no_number.with_values(field=field, value=given, least=least, most=most))
            elif chosen is None:
                chosen = value
            elif chosen != value:
                self._keep(cell)
        return chosen

    def _minutes(self) -> int | None:
        seconds = self._number(phrase("seconds"), 1, limits.MINUTES_MAX * 60)
        return self._number(phrase("minutes"), 1, limits.MINUTES_MAX) or (
            round(seconds / 60) or 1 if seconds else None
        )

    def _language(self) -> str | None:
        value = self._first("language")
        for cell in self._fields.get("language", ())[:1]:
            if not self._exact and "," in value:
                self._keep(cell)
                value = value.split(",")[0].strip()
        return self._short(phrase("language"), value, limits.LANGUAGE_MAX)

    def _format(self) -> str | None:
        value = self._line_of(phrase("format"), limits.FORMAT_MAX)
        if value is None or self._exact:
            return value
        return _FORMATS.get(value.casefold().replace("-", " ").replace("_", " "), value)

    def _series(self) -> tuple[SeriesEntry, ...]:
        numbers = [one_line(cell.text, exact=False) for cell in self._fields.get("series number", ())]
        chosen: dict[str, SeriesEntry] = {}
        for cell in self._fields.get("series", ()):
            for part in cell.text.split(";"):
                found = _SERIES.fullmatch(one_line(part, exact=False))
                if found and found[1]:
                    number = found[2] or found[3] or (numbers[0] if numbers and not chosen else None)
                    number = number.removesuffix(".0") if number else None
                    chosen.setdefault(found[1], SeriesEntry(found[1], number))
        if not chosen:
            for cell in self._fields.get("series number", ()):
                self._keep(cell)
        fitting = [
            entry
            for entry in chosen.values()
            if len(entry.name) <= limits.NAME_MAX and len(entry.number or "") <= limits.SERIES_NUMBER_MAX
        ][: limits.SERIES_MAX]
        for entry in chosen.values():
            if entry not in fitting:
                beyond = phrase("series {name} {number} left out: beyond the limits")
                number = repr(entry.number or "")
                self._warnings.append(beyond.with_values(name=repr(entry.name), number=number))
        return tuple(fitting)

    def _tags(self) -> tuple[str, ...]:
        given = [
            tag for cell in self._fields.get("tags", ()) for tag in self._setting.form.split_tags(cell.text)
        ]
        return choose_tags(given, self._warnings, exact=self._exact)

    def _joined(self, name: str) -> str:
        """Return all texts of a field, with a blank line between."""
        markup = self._setting.form.markup
        texts = (
            many_lines(cell.text, exact=self._exact, markup=markup) for cell in self._fields.get(name, ())
        )
        return "\n\n".join(dict.fromkeys(text for text in texts if text.strip()))

    def _text(self, field: Phrase, longest: int) -> str | None:
        return cut(field, self._joined(field.template), longest, self._warnings) or None

    def _ids(self) -> dict[str, str]:
        ids: dict[str, str] = {}
        for name in [name for name in self._fields if name.startswith("id:")]:
            scheme, value = name.removeprefix("id:"), self._first(name)
            if not value.strip("0"):
                continue
            if not _SCHEME.fullmatch(scheme) or len(value) > limits.ID_MAX or len(ids) == limits.IDS_MAX:
                self._warnings.append(phrase("id {name} {value} left out", name=scheme, value=repr(value)))
            else:
                ids[scheme] = value
        return ids

    def _copies(self, history: ReadingHistory) -> int | None:
        for cell in self._fields.get("copies", ())[:1]:
            copies = whole_number(cell.text)
            if copies is not None and 0 <= copies <= limits.COPIES_MAX:
                return copies
            self._warnings.append(phrase("copies {value} left out: not a number", value=quoted(cell.text)))
        for cell in self._fields.get("owned", ())[:1]:
            owned = is_yes(cell.text)
            if owned is None:
                self._keep(cell)
                return None
            return int(owned)
        return None if history.owned is None else int(history.owned)

    def _day(self, name: str) -> str | None:
        for cell in self._fields.get(name, ())[:1]:
            dates = read_dates(cell.text, day_first=self._setting.day_first)
            if dates and (day := dates.spans[-1].ended):
                return day
            if cell.text.strip() not in _BLANK:
                no_date = phrase("{column} {value} left out: {why}", why=phrase("is no date"))
                self._warnings.append(no_date.with_values(column=cell.column, value=quoted(cell.text)))
        return None

    def _added(self) -> str | None:
        """Return the time in full where the file has one with its offset, else the day."""
        for cell in self._fields.get("added", ())[:1]:
            text = cell.text.strip()
            if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", text):
                return text
        day = self._day("added") if not self._exact else None
        latest = (self._setting.options.today + timedelta(days=1)).isoformat()
        if day and is_before(latest, day):
            self._warnings.append(phrase("added {day} left out: it lies in the future", day=day))
            return None
        return day

    def _opinion(self, history: ReadingHistory) -> tuple[tuple[FileReading, ...], dict[str, Any]]:
        """Give rating and review to the latest ended reading, else to the open one, else to the book."""
        stars = history.stars()
        title, text = self._joined("review title"), self._joined("review")
        review = "\n\n".join(filter(None, (title, text)))
        review = cut(phrase("review"), review, limits.REVIEW_MAX, self._warnings)
        spoiler = any(is_yes(cell.text) for cell in self._fields.get("spoiler", ()))
        readings = history.readings()
        if not readings and stars and self._setting.rated_is_read:
            readings = [FileReading()]
        opinion: dict[str, Any] = {
            "stars": stars,
            "review": review or None,
            "spoiler": spoiler and bool(review),
        }
        if not readings:
            return (), opinion
        ended = [index for index, reading in enumerate(readings) if reading.end != "open"]
        index = ended[-1] if ended else 0
        readings[index] = msgspec.structs.replace(readings[index], **opinion)
        return tuple(readings), {}

    def _lists(self, history: ReadingHistory) -> tuple[ListPlace, ...]:
        """Return the lists of shelves and states, with the positions that the file has."""
        places: dict[str, ListPlace] = {}
        for cell in self._fields.get("places", ()):
            for name, position in self._places(cell.text):
                places.setdefault(name, ListPlace(name, position))
        for place in [
            *history.lists,
            *(
                ListPlace(name)
                for cell in self._fields.get("lists", ())
                for name, _ in self._places(cell.text)
            ),
        ]:
            places.setdefault(place.name, place)
        return tuple(places.values())

    def _places(self, text: str) -> Iterator[tuple[str, int | None]]:
        """Yield the lists of a cell such as "Owned, Best of (#2)"; those of states only repeat them."""
        for part in re.split(r",(?![^()]*\))|[|;]", text):
            found = _PLACE.fullmatch(part)
            name = one_line(found[1] if found else part, exact=False)
            state = state_of(name)
            if state is not None and state.value == "wanted":
                name = UP_NEXT
            elif state is not None:
                continue
            if name:
                yield name, int(found[2]) if found else None

    def _extras(self) -> dict[str, str]:
        for cell in self._fields.get(EXTRA, ()):
            self._keep(cell)
        kept: dict[str, str] = {}
        for column, text in self._extra.items():
            if not text.strip():
                continue
            name = f"{self._setting.form.name}: {column}"
            name = cut(phrase("name of a column"), name, limits.EXTRA_NAME_MAX, self._warnings)
            if name in kept:
                same = phrase("{column} left out: another column has the same name: {text}")
                self._warnings.append(same.with_values(column=column, text=repr(text)))
            elif len(text) > limits.EXTRA_VALUE_MAX or len(kept) == limits.EXTRA_MAX:
                beyond = phrase(
                    "{column} left out: at most {columns} columns of {most} characters are kept: {text}",
                    columns=limits.EXTRA_MAX,
                    most=limits.EXTRA_VALUE_MAX,
                )
                self._warnings.append(beyond.with_values(column=column, text=repr(text)))
            else:
                kept[name] = text
        return kept
