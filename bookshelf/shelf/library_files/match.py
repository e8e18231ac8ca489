"""Matches the line of a file with a book of the shelf, and a line's readings with the book's readings.

Pure functions on values: `MatchKeys` is what a line and a book are compared by. `ShelfIndex` has the books.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.entry import FileReading
from bookshelf.shelf.library_files.text import remembered
from bookshelf.shelf.search_text import fold, isbn_forms, split_words
from bookshelf.shelf.sort_keys import year_of
from bookshelf.shelf.values import is_before

_ISBN_13 = 13


class MatchKeys(NamedTuple):
    """What a book is recognised by.

    `ids` are (scheme, id) pairs, `isbn` has 13 digits where it can, `title` and `authors` are folded. The
    first author's name may have several forms. `year` is that of publication. Empty values are unknown.
    """

    id: str
    ids: frozenset[tuple[str, str]]
    isbn: str
    title: str
    authors: frozenset[str]
    year: int | None


class Candidates(Protocol):
    """The books that share a key with a line, each with its keys, in the sequence of the shelf."""

    def by_id(self, book_id: str) -> Sequence[MatchKeys]:
        """Return the book with this id of the shelf."""

    def by_ids(self, ids: Iterable[tuple[str, str]]) -> Sequence[MatchKeys]:
        """Return the books with one of these ids of other programs."""

    def by_isbn(self, isbn: str) -> Sequence[MatchKeys]:
        """Return the books with this ISBN."""

    def by_title(self, title: str) -> Sequence[MatchKeys]:
        """Return the books with this folded title."""


class Match(NamedTuple):
    """The book that a line belongs to; None: it is a new one. `near` is a book with the same title only."""

    book: str | None
    near: str | None = None


def keys_of(book: BookFields, book_id: str = "") -> MatchKeys:
    """Return the keys of a book, or of the book that a line has."""
    return MatchKeys(
        id=book_id,
        ids=frozenset(book.ids.items()),
        isbn=isbn_key(book.isbn),
        title=" ".join(split_words(fold(book.title))) or fold(book.title).strip(),
        authors=frozenset(_author_keys(book)),
        year=year_of(book.published),
    )


def isbn_key(isbn: str | None) -> str:
    """Return the 13 digits of an ISBN, or what there is of it; a missing one is empty."""
    forms = list(isbn_forms(isbn))
    return next((form for form in forms if len(form) == _ISBN_13), forms[0] if forms else "")


@remembered
def name_words(name: str) -> str:
    """Return the words of a name in a sequence of their own: "Herbert, Frank" equals "Frank Herbert"."""
    return " ".join(sorted(split_words(fold(name))))


def _author_keys(book: BookFields) -> Iterator[str]:
    """Yield the forms of the first author's name: one of several names may be all that the other one has."""
    first = next((person.name for person in book.contributors if person.role == "author"), None)
    if first is not None:
        yield name_words(first)
    yield name_words(book.author)
    parts = book.author.split(",")
    if len(parts) > 1 and all(len(part.split()) > 1 for part in parts):  # several names, not "Herbert, Frank"
        yield name_words(parts[0])


def match_book(line: MatchKeys, books: Candidates, met: Callable[[str], tuple[int | None] | None]) -> Match:
    """Return the book of a line: by its own id, an id of another program, ISBN, or title and first author.

    `met(id)` is the year of the line of the same file that was matched with a book before, or has its id;
    None: there is none. A line with an id of its own, or with another year, is another book than that line's.
    """
    if line.id and (own := books.by_id(line.id)):
        return Match(own[0].id)

    def may_be(book: MatchKeys) -> bool:
        if (other := met(book.id)) is None:
            return True
        (year,) = other
        return not line.id and (line.year is None or year is None or line.year == year)

    for found in (books.by_ids(line.ids), books.by_isbn(line.isbn) if line.isbn else ()):
        if (book := next(filter(may_be, found), None)) is not None:
            return Match(book.id)
    titled = books.by_title(line.title)
    fitting = [book for book in titled if may_be(book) and _may_agree(line, book)]
    if len(fitting) > 1:
        fitting = [book for book in fitting if line.year is not None and book.year == line.year]
    if len(fitting) == 1:
        return Match(fitting[0].id)
    near = next((book.id for book in titled if met(book.id) is None), None)
    return Match(None, near)


def _may_agree(line: MatchKeys, book: MatchKeys) -> bool:
    """Return True if the authors agree, and neither ISBNs nor ids of one program contradict each other."""
    if line.isbn and book.isbn and line.isbn != book.isbn:
        return False
    ids = dict(book.ids)
    return bool(line.authors & book.authors) and all(ids.get(scheme, id_) == id_ for scheme, id_ in line.ids)


Pair = tuple[FileReading, FileReading | None]


def match_readings(
    file: Sequence[FileReading], shelf: Sequence[FileReading], *, exact: bool = False
) -> list[Pair]:
    """Return each reading of a line with the shelf's reading that it is, or None, in the line's sequence.

    If the shelf has, for each reading of the line, another one with all of its values, those are they: what
    was imported once is found again. `exact`: dates are compared as they are, else the shelf's may be finer.

    Else by rules, each for all readings before the next: the same content; the same end and start; the same
    end, at the coarser precision of the two dates; the same start; a reading that is open on the shelf and
    has ended in the file; else, if no date contradicts another, their sequence.
    """
    pairs = _contained(file, shelf, exact=exact)
    free = set(range(len(shelf))) - set(pairs.values())
    for agree in _RULES:
        for place, reading in enumerate(file):
            if place in pairs:
                continue
            fit = next((other for other in sorted(free) if agree(reading, shelf[other])), None)
            if fit is not None:
                pairs[place] = fit
                free.remove(fit)
    return [(reading, shelf[pairs[place]] if place in pairs else None) for place, reading in enumerate(file)]


#: The most pairs of readings for which the shelf's are searched for all values of the file's.
_MOST_PAIRS = 10_000


def _contained(file: Sequence[FileReading], shelf: Sequence[FileReading], *, exact: bool) -> dict[int, int]:
    """Return a place on the shelf for the place of each reading of a line; nothing if one has none.

    A matching by augmenting paths (Kuhn): a reading gives its place way if it has another one.
    """
    if len(file) * len(shelf) > _MOST_PAIRS:
        return {}
    fits = [_fitting(each, shelf, exact=exact) for each in file]
    holders: dict[int, int] = {}

    def place(reading: int, tried: set[int]) -> bool:
        free = [other for other in fits[reading] if other not in holders]
        for other in free[:1] or fits[reading]:
            if other not in tried:
                tried.add(other)
                if other not in holders or place(holders[other], tried):
                    holders[other] = reading
                    return True
        return False

    found = all(place(reading, set()) for reading in range(len(file)))
    return {reading: other for other, reading in holders.items()} if found else {}


def _fitting(file: FileReading, shelf: Sequence[FileReading], *, exact: bool) -> list[int]:
    """Return the places of the readings that have all values of one of the file; the most alike first."""

    def rule(place: int) -> int:
        return next((n for n, agree in enumerate(_RULES) if agree(file, shelf[place])), len(_RULES))

    return sorted((n for n, there in enumerate(shelf) if _has_all_of(file, there, exact=exact)), key=rule)


def _has_all_of(file: FileReading, shelf: FileReading, *, exact: bool) -> bool:
    """Return True if the shelf's reading has every value of the file's."""
    dates = ((file.started, shelf.started), (file.ended, shelf.ended))
    content = ((file.stars, shelf.stars), (file.review, shelf.review), (file.format, shelf.format))
    return (
        file.end == shelf.end
        and all(known is None or known == there for known, there in (*content, *(dates if exact else ())))
        and all(known is None or (there or "").startswith(known) for known, there in dates)
    )


def same_date(first: str | None, second: str | None) -> bool:
    """Return True if two partial dates are known and equal at the coarser precision of the two."""
    if first is None or second is None:
        return False
    shared = min(len(first), len(second))
    return first[:shared] == second[:shared]


def _contradict(first: str | None, second: str | None) -> bool:
    return first is not None and second is not None and not same_date(first, second)


def _all_equal(file: FileReading, shelf: FileReading) -> bool:
    content = ("stars", "review", "spoiler", "format")
    return _equal(file, shelf) and all(getattr(file, name) == getattr(shelf, name) for name in content)


def _equal(file: FileReading, shelf: FileReading) -> bool:
    return (file.started, file.ended, file.end) == (shelf.started, shelf.ended, shelf.end)


def _end_exactly(file: FileReading, shelf: FileReading) -> bool:
    return file.ended is not None and file.ended == shelf.ended


def _end(file: FileReading, shelf: FileReading) -> bool:
    return same_date(file.ended, shelf.ended) and not _contradict(file.started, shelf.started)


def _end_only(file: FileReading, shelf: FileReading) -> bool:
    return same_date(file.ended, shelf.ended)


def _start(file: FileReading, shelf: FileReading) -> bool:
    return same_date(file.started, shelf.started)


def _has_ended_since(file: FileReading, shelf: FileReading) -> bool:
    return shelf.end == "open" and _may_agree_in_time(file, shelf)


def _may_agree_in_time(file: FileReading, shelf: FileReading) -> bool:
    """Return True if no date contradicts another one, and none ends before the other one starts."""
    if _contradict(file.ended, shelf.ended) or _contradict(file.started, shelf.started):
        return False
    spans = ((file.started, shelf.ended), (shelf.started, file.ended))
    return not any(start and end and is_before(end, start) for start, end in spans)


_RULES = (_all_equal, _equal, _end_exactly, _end, _end_only, _start, _has_ended_since, _may_agree_in_time)
