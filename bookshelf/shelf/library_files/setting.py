"""What is decided for a file as a whole, in a first pass that keeps no record in memory."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import msgspec

from bookshelf.shelf.library_files.dates import is_ambiguous, order_proofs
from bookshelf.shelf.library_files.format import EXTRA, IGNORED, Cell, Fields, Format
from bookshelf.shelf.library_files.text import decode_twice_encoded
from bookshelf.shelf.library_files.values import is_quarter, parse_rating
from bookshelf.shelf.limits import RATING_MAX

DATE_FIELDS = ("finished", "started", "stopped", "read", "dates", "added", "lent on")
_STATE_FIELDS = {"state", "read", "finished", "shelves", "ranges", "stopped", "started"}
_OWN_RATINGS = {"my rating", "my ratings", "own rating", "your rating", "star rating", "personal rating"}
_TEN, _HUNDRED = 10, 100
#: Of the ratings of a file out of ten, more than one in so many is above 5; out of a hundred, above 10.
#: Fewer are slips.
_ONE_IN = {_TEN: 20, _HUNDRED: 2}
#: What Goodreads writes into a cell without an ISBN.
_NOTHING = '=""'
#: Values of a column that are shown, and the characters of each.
EXAMPLES, EXAMPLE_LENGTH = 3, 80


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The choices of a user for one import.

    `today` is the user's date: nothing is finished after it. `encoding` and `day_first` override what the
    file decides; `columns` has the field of a column by its name, or `extra` or `ignored`.
    """

    today: date
    encoding: str | None = None
    day_first: bool | None = None
    repair_encoding: bool = False
    columns: Mapping[str, str] = {}


class ColumnUse(msgspec.Struct, frozen=True):
    """What became of a column: its field, `extra` or `ignored`, and the number of its values.

    `examples` are the first three different ones, cut.
    """

    name: str
    field: str
    values: int
    examples: tuple[str, ...] = ()


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that the records of one file are read by.

    `rows` counts its records, also those without a book. `day_first` is how 01/03/2024 is read; `sure` is
    true if a date in the file or the user decides it, and `asked` if the file has such a date. `scale` is the
    highest rating: 5, 10 or 100; 0 if the ratings are averages of many readers. With `rated_is_read`, a book
    with a rating counts as read, because the file has no other field for that. `twice_encoded` counts values
    that look encoded twice; `twice_example` is the first.
    """

    form: Format
    options: Options
    rows: int = 0
    day_first: bool = False
    sure: bool = True
    asked: bool = False
    scale: int = RATING_MAX
    rated_is_read: bool = False
    columns: tuple[ColumnUse, ...] = ()
    twice_encoded: int = 0
    twice_example: str = ""


class Survey:
    """Collects the facts of a file, record by record; `columns` has the field of each column."""

    def __init__(self, form: Format, fields: Mapping[str, str]) -> None:
        """Prepare for a file in this format, whose columns have these fields."""
        self._form = form
        self.columns = dict(fields)
        self._values: dict[str, int] = {}
        self._examples: dict[str, dict[str, None]] = {}
        self._rows = self._day_first = self._month_first = self._twice = self._averages = self._rated = 0
        self._plain = 0
        self._needing = {_TEN: 0, _HUNDRED: 0}
        self._ambiguous, self._example = False, ""

    def add(self, record: Fields) -> None:
        """Take the facts of one record, whose fields are not adapted yet."""
        self._rows += 1
        for name, cells in record.items():
            for cell in cells:
                self._count(cell)
                if name in DATE_FIELDS:
                    self._date(cell.text)
        if "rating" in record:
            self._rate(record["rating"][0])

    def skip(self) -> None:
        """Count a record that cannot be read."""
        self._rows += 1

    def _count(self, cell: Cell) -> None:
        if cell.text == _NOTHING:
            return
        self._values[cell.column] = self._values.get(cell.column, 0) + 1
        examples = self._examples.setdefault(cell.column, {})
        if len(examples) < EXAMPLES:
            examples[" ".join(cell.text[:EXAMPLE_LENGTH].split())] = None
        if not cell.text.isascii() and decode_twice_encoded(cell.text) != cell.text:
            self._twice += 1
            self._example = self._example or cell.text

    def _date(self, text: str) -> None:
        proofs = list(order_proofs(text))
        self._day_first += sum(proofs)
        self._month_first += len(proofs) - sum(proofs)
        self._ambiguous = self._ambiguous or is_ambiguous(text)

    def _rate(self, cell: Cell) -> None:
        given = parse_rating(cell.text)
        if given is None or not given.value:
            return
        self._rated += 1
        if given.out_of is not None:
            return
        self._plain += 1
        scale = next((top for top in (RATING_MAX, _TEN, _HUNDRED) if given.value <= top), 0)
        if scale in self._needing:
            self._needing[scale] += 1
        own = cell.column.casefold().replace("_", " ").strip() in _OWN_RATINGS
        self._averages += not own and not is_quarter(given.value)

    def setting(self, options: Options, delimiter: str) -> Setting:
        """Return the facts of the whole file.

        If no date proves the order, the day comes first in files with semicolons, which spreadsheets write in
        countries with that order, and the month comes first in all others.
        """
        proved = self._day_first != self._month_first
        assumed = self._day_first > self._month_first if proved else delimiter == ";"
        chosen = options.day_first
        guess = self._form.guess
        return Setting(
            form=self._form,
            options=options,
            rows=self._rows,
            day_first=assumed if chosen is None else chosen,
            sure=proved or chosen is not None,
            asked=self._ambiguous,
            scale=(0 if self._averages else self._scale()) if guess else RATING_MAX,
            rated_is_read=guess and self._rated > 0 and not self._averages and self._states_nothing(),
            columns=tuple(self._uses()),
            twice_encoded=self._twice,
            twice_example=self._example,
        )

    def _scale(self) -> int:
        """Return the highest rating that enough ratings without one of their own need."""
        needed = (top for top in (_HUNDRED, _TEN) if self._needing[top] * _ONE_IN[top] > self._plain)
        return next(needed, RATING_MAX)

    def _states_nothing(self) -> bool:
        return _STATE_FIELDS.isdisjoint(self.columns.values())

    def _uses(self) -> Iterator[ColumnUse]:
        for name, field in self.columns.items():
            averages = field == "rating" and self._averages and self._form.guess
            used = IGNORED if averages else field or EXTRA
            yield ColumnUse(name, used, self._values.get(name, 0), tuple(self._examples.get(name, ())))


def fields_of(header: Iterable[str], layout: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, str]:
    """Return the field of each named column."""
    names = list(header)
    field_at = {index: field for field, indexes in layout for index in indexes}
    return {name: field_at.get(index, EXTRA) for index, name in enumerate(names) if name}
