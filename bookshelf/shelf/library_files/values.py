"""Reads the values of a cell: text, tags, states, dates, ratings and ISBNs."""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import NamedTuple

from bookshelf.shelf.library_files.format import folded
from bookshelf.shelf.limits import RATING_MAX, RATING_MIN, TAG_MAX, TAGS_MAX

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_END = re.compile(r"\r\n?")

_BREAK = re.compile(r"\s*<(?:br|hr)\s*/?>\s*|\s*</(?:div|li|tr|h[1-6])\s*>\s*", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\s*</(?:p|blockquote|ul|ol)\s*>\s*", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|i|u|s|p|em|strong|del|ins|sub|sup|small|big|tt|div|span|blockquote|ul|ol|li|hr|br"
    r"|h[1-6]|img|pre|code|q|cite|font|center|table|tbody|thead|tr|td|th|spoiler|strike)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_MANY_BREAKS = re.compile(r"\n{3,}")


def one_line(value: str, *, exact: bool) -> str:
    """Return the value on one line; unless `exact`, each run of spaces becomes one space."""
    if not value.isprintable():
        value = _CONTROL.sub(" ", value)
    return value if exact else " ".join(value.split())


def many_lines(value: str, *, exact: bool, markup: bool) -> str:
    """Return the value with its lines; with `markup`, HTML becomes plain text."""
    if markup:
        value = plain(value)
    if not value.isprintable():
        value = _CONTROL_BUT_LINES.sub(" ", _LINE_END.sub("\n", value))
    return value if exact else value.strip()


def plain(value: str) -> str:
    """Return HTML as text: breaks as line ends, other known tags removed, entities as characters.

    Only tags that HTML has are removed: "a < b" and "<3" stay.
    """
    if "<" in value:
        value = _PARAGRAPH.sub("\n\n", _BREAK.sub("\n", value))
        value = _MANY_BREAKS.sub("\n\n", _TAG.sub("", value))
    return html.unescape(value)


def cut(name: str, value: str, longest: int, notes: list[str]) -> str:
    """Return the value, cut to `longest` characters; if it was cut, a note is added."""
    if len(value) > longest:
        notes.append(f"{name} cut: it has {len(value):,} characters, {longest:,} are kept")
        return value[:longest]
    return value


def shown(values: Sequence[str]) -> str:
    """Return the first value, cut and quoted for a note."""
    longest = 40
    value = " ".join(values[0].split())
    return repr(value if len(value) <= longest else value[: longest - 1] + "…")


Identity = tuple[str, str, str, str]


def identity(book: Mapping[str, object]) -> Identity:
    """Return what distinguishes a book from others: title, author, ISBN and date of publication.

    Title and author are compared without regard to case, spacing and the composition of accents; a missing
    ISBN or date is the empty string.
    """
    return (
        _folded(book["title"]),
        _folded(book["author"]),
        str(book.get("isbn") or ""),
        str(book.get("published") or ""),
    )


def _folded(value: object) -> str:
    composed = unicodedata.normalize("NFC", str(value))
    return " ".join(composed.split()).casefold()


def choose_tags(given: Iterable[str], notes: list[str], *, exact: bool) -> list[str]:
    """Return the tags in order, each once, within the shelf's limits; a note is added for each left out."""
    chosen: dict[str, None] = {}
    for value in given:
        tag = one_line(value, exact=exact)
        if not tag.strip() or (not exact and is_shelf(tag)):
            continue
        if len(tag) > TAG_MAX:
            notes.append(f"tag {shown([tag])} left out: longer than {TAG_MAX} characters")
        else:
            chosen[tag] = None
    if len(chosen) > TAGS_MAX:
        notes.append(f"{len(chosen) - TAGS_MAX} tags left out: a book has at most {TAGS_MAX}")
    return list(chosen)[:TAGS_MAX]


class FileState(Enum):
    """The state of reading a book, as a library file has it."""

    FINISHED = "finished"
    UNREAD = "unread"
    STOPPED = "stopped"


_WORDS = {
    FileState.FINISHED: """read, already read, finished, completed, complete, done, have read,
        gelesen, fertig, lu, leído, leido, letto, lido, gelezen""",
    FileState.UNREAD: """unread, to read, want to read, wanttoread, toread, tbr, not started, not read,
        currently reading, currentlyreading, reading, in progress, started, owned to read,
        wishlist, wish list, paused, on hold, ungelesen, à lire, por leer, da leggere""",
    FileState.STOPPED: """did not finish, dnf, not finished, abandoned, stopped, stopped reading,
        gave up, given up, abgebrochen, abandonné""",
}
_STATES = {" ".join(word.split()): state for state, words in _WORDS.items() for word in words.split(",")}

_SHELVES = frozenset({"read", "to read", "currently reading"})
_YES = frozenset(
    {"yes", "y", "true", "t", "1", "x", "ja", "j", "oui", "si", "sí", "sim", "wahr", "vrai", "✓", "✔", "☑"}
)
_NO = frozenset({"no", "n", "false", "f", "0", "nein", "non", "nee", "não", "falsch", "faux", "✗", "☐", "-"})


def state_of(word: str) -> FileState | None:
    """Return the state that a word means; None if it is unknown."""
    return _STATES.get(folded(word))


def is_shelf(tag: str) -> bool:
    """Return True if the tag is one of the shelves that only repeat the state."""
    return folded(tag) in _SHELVES


def is_yes(word: str) -> bool | None:
    """Return the meaning of a word in a yes-or-no column; None if it is neither."""
    plain = word.strip().casefold()
    if plain in _YES or state_of(plain) is FileState.FINISHED:
        return True
    return False if plain in _NO or state_of(plain) is not None else None


_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_MONTH_DAY = re.compile(r"([^\W\d]{3,10})\.? +(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?[ -]+([^\W\d]{3,10})\.?,?[ -]+(\d{4})")

_MONTH_NAMES = "jan feb mar/mär/mrt apr may/mai/mei jun jul aug sep oct/okt nov dec/dez"
_MONTHS = {
    name: number for number, names in enumerate(_MONTH_NAMES.split(), start=1) for name in names.split("/")
}
_LAST_MONTH = 12
_CENTURY = 2000


class NumericDate(NamedTuple):
    """A date of three numbers, of which only the year is certain."""

    first: int
    second: int
    year: int
    dotted: bool

    @property
    def proves_day_first(self) -> bool | None:
        """True if the day comes first, False if the month does; None if it can be either."""
        if self.first > _LAST_MONTH or self.dotted:
            return True
        return False if self.second > _LAST_MONTH else None

    @property
    def ambiguous(self) -> bool:
        """True if day first and month first give two different days."""
        return self.proves_day_first is None and self.first != self.second


def numeric(value: str) -> NumericDate | None:
    """Return the last date such as 31/12/2024, 12-31-2024 or 31.12.24 in the value."""
    if _ISO.search(value) or not (found := _NUMERIC.findall(value)):
        return None
    first, mark, second, year = found[-1]
    full = int(year) if len(year) > 2 else _CENTURY + int(year)  # noqa: PLR2004 - 24 for 2024
    return NumericDate(int(first), int(second), full, mark == ".")


def parse_date(value: str, *, day_first: bool) -> date | None:
    """Return the last date in the value; None if there is none that exists in the calendar.

    It is the last because a range or a list of readings ends with the latest one. A time of day after it is
    ignored. 31.12.2024 is always day first; with / and - the numbers decide, and otherwise `day_first`.
    """
    if found := _ISO.findall(value):
        year, month, day = found[-1]
        return _date(int(year), int(month), int(day))
    if (three := numeric(value)) is not None:
        proof = three.proves_day_first
        first_is_day = day_first if proof is None else proof
        day, month = (three.first, three.second) if first_is_day else (three.second, three.first)
        return _date(three.year, month, day)
    return _in_words(value)


def _in_words(value: str) -> date | None:
    if found := _MONTH_DAY.search(value):
        month, day, year = found.groups()
    elif found := _DAY_MONTH.search(value):
        day, month, year = found.groups()
    else:
        return None
    return _date(int(year), _MONTHS.get(month[:3].casefold(), 0), int(day))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)(?:\s*/\s*(\d+))?(?:\s*(?:stars?|\*))?", re.IGNORECASE)
_FILLED, _STARS = "★*", frozenset("★*☆ ")
_STEP = 4
"""StoryGraph has ratings in quarters of a star; an average is hardly ever one."""


def parse_number(value: str, scale: int) -> float | None:
    """Return the rating in stars out of 5, unrounded; None if it is not a rating.

    `scale` is the highest rating of the file, 5 or 10; "8/10" and "★★★★" carry their own.
    """
    text = value.strip()
    if text and _STARS.issuperset(text):
        return float(sum(text.count(star) for star in _FILLED))
    if not (found := _NUMBER.fullmatch(text)):
        return None
    given, out_of = found.groups()
    return float(given.replace(",", ".")) * RATING_MAX / (int(out_of or scale) or 1)


def is_quarter(value: float) -> bool:
    """Return True for a rating that one reader can have given; other values are averages."""
    return (value * _STEP).is_integer()


def parse_stars(value: str, scale: int, notes: list[str]) -> int | None:
    """Return whole stars, with halves rounded up; None for a blank value or 0."""
    exact = parse_number(value, scale)
    if exact is None or exact > RATING_MAX:
        notes.append(f"rating {value.strip()[:20]!r} left out: not a number of stars from 1 to 5")
        return None
    if not exact:
        return None
    whole = max(int(exact + 0.5), RATING_MIN)
    if whole != exact:
        notes.append(f"rating {value.strip()!r} rounded to {whole}")
    return whole


_SPLIT = re.compile(r"[,;|/]")
_JUNK = re.compile(r"""\.0+$|[\s\-\u2010-\u2015="'.]|^ISBN(?:-?1[03])?:?""", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+|97[89]\d{4}0{6}(?:\.0+)?", re.IGNORECASE)
_TEN = re.compile(r"\d{9}[\dX]")
_THIRTEEN = re.compile(r"97[89]\d{10}")
_SHORT = re.compile(r"\d{6,8}[\dX]")
_SHOWN = 20

_GOOD13, _GOOD10, _PADDED, _WRONG = range(4)


def choose_isbn(values: Iterable[str], notes: list[str]) -> str:
    """Return the best ISBN of those given, 10 or 13 characters, or the empty string.

    Best is an ISBN-13 with a right check digit, then such an ISBN-10, then one
    that has lost its leading zeros, then one of full length with a wrong check
    digit (books are printed with those), which is noted. What is no ISBN, or
    what a spreadsheet has rounded, is noted only where there is no other.
    """
    given = [part for value in values for part in _parts(value)]
    ranked = [found for value in given if (found := _ranked(value))]
    if not ranked:
        notes.extend(_isbn_fault(value) for value in given)
        return ""
    rank, isbn = min(ranked, key=lambda pair: pair[0])
    if rank == _WRONG:
        notes.append(f"isbn {isbn!r} kept, though its check digit is wrong")
    return isbn


def holds(isbn10: str) -> bool:
    """Return True if the check digit of ten characters is right (ISO 2108, modulus 11)."""
    digits = (10 if digit == "X" else int(digit) for digit in isbn10)
    return sum((10 - place) * digit for place, digit in enumerate(digits)) % 11 == 0


def _holds13(isbn: str) -> bool:
    return sum((3 if place % 2 else 1) * int(digit) for place, digit in enumerate(isbn)) % 10 == 0


def _parts(value: str) -> Iterator[str]:
    value = value.strip()
    if _ROUNDED.fullmatch(value):
        yield value
    else:
        yield from filter(_bare, _SPLIT.split(value))


def _bare(value: str) -> str:
    return _JUNK.sub("", value.strip().upper())


def _ranked(value: str) -> tuple[int, str] | None:
    isbn = _bare(value)
    if _ROUNDED.fullmatch(value):
        return None
    if _THIRTEEN.fullmatch(isbn):
        return (_GOOD13 if _holds13(isbn) else _WRONG), isbn
    if _TEN.fullmatch(isbn):
        return (_GOOD10 if holds(isbn) else _WRONG), isbn
    if _SHORT.fullmatch(isbn) and holds(isbn.zfill(10)):
        return _PADDED, isbn.zfill(10)
    return None


def _isbn_fault(value: str) -> str:
    why = "a spreadsheet has rounded it" if _ROUNDED.fullmatch(value) else "not an ISBN"
    return f"isbn {value.strip()[:_SHOWN]!r} left out: {why}"
