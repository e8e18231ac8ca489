"""Reads the values of a cell: ratings, ISBNs, numbers and tags."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.isbn import is_isbn10, is_isbn13, to_isbn13
from bookshelf.shelf.library_files.states import is_shelf
from bookshelf.shelf.library_files.text import fold_letters, one_line, quoted, remembered, shown
from bookshelf.shelf.limits import STARS_MAX, TAG_MAX, TAGS_MAX

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


def choose_tags(given: Iterable[str], notes: list[Phrase], *, exact: bool) -> tuple[str, ...]:
    """Return the tags in order, each once, within the shelf's limits; a note is added for each left out."""
    chosen: dict[str, None] = {}
    for value in given:
        tag = one_line(value, exact=exact)
        if not tag.strip() or (not exact and is_shelf(tag)):
            continue
        if len(tag) > TAG_MAX:
            left_out = phrase(
                "tag {tag} left out: longer than {most} characters", tag=repr(tag), most=TAG_MAX
            )
            notes.append(left_out)
        else:
            chosen[tag] = None
    rest = list(chosen)[TAGS_MAX:]
    if rest:
        notes.append(
            phrase(
                "{count} tags left out: a book has at most {most}: {tags}",
                count=len(rest),
                most=TAGS_MAX,
                tags=tuple(rest),
            )
        )
    return tuple(chosen)[:TAGS_MAX]


_NUMBER = re.compile(r"\d{1,3}(?:[,. \u00a0\u202f']\d{3})+|\d+(?:[.,]\d+)?(?:[eE]\+?\d+)?")
_THOUSANDS = re.compile(r"\d{1,3}(?:([,. \u00a0\u202f'])\d{3})(?:\1\d{3})*")


def whole_number(value: str) -> int | None:
    """Return the first number of a cell ("1,024 pages", "352.0", "1.2e2"); None if it has none or a part."""
    if (found := _NUMBER.match(value.strip())) is None:
        return None
    text = found[0]
    if _THOUSANDS.fullmatch(text):
        return int(re.sub(r"\D", "", text))
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else None


class GivenRating(NamedTuple):
    """A rating as a cell has it, and out of what, if the cell has that, too."""

    value: float
    out_of: float | None = None


_RATING = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*([\u00bd\u00bc\u00be]?)"
    r"(?:\s*(?:/|out of|of|von|sur|de|su|van|av|z|из)\s*(\d+)|\s*(%))?"
    r"\s*(?:stars?|sterne?|étoiles?|estrellas?|stelle|stella|estrelas?|sterren|звезд\w*|points?|\*|★|⭐)?",
    re.IGNORECASE,
)
_HALVES = {"½": 0.5, "¼": 0.25, "¾": 0.75, "": 0.0}
_FILLED = frozenset("★*⭐🌟✭✮✯⋆")
_EMPTY = frozenset("☆✩✰ \ufe0f")
_WORDS = {
    "did not like it": 1,
    "it was ok": 2,
    "it was okay": 2,
    "liked it": 3,
    "really liked it": 4,
    "it was amazing": 5,
    "loved it": 5,
}
_HUNDRED = 100
_STEP = 4


@remembered
def parse_rating(cell: str) -> GivenRating | None:
    """Return the rating of a cell: a number, a fraction, per cent, star signs, or a phrase of Goodreads."""
    text = cell.strip()
    signs = text.rstrip("½¼¾")
    if signs and set(signs) <= _FILLED | _EMPTY:
        stars = sum(sign in _FILLED for sign in signs)
        return GivenRating(stars + sum(_HALVES[sign] for sign in text[len(signs) :]), STARS_MAX)
    if stars_of_phrase := _WORDS.get(fold_letters(text)):
        return GivenRating(stars_of_phrase, STARS_MAX)
    if text in _HALVES and text:
        return GivenRating(_HALVES[text])
    if not (found := _RATING.fullmatch(text)):
        return None
    number, part, out_of, percent = found.groups()
    value = float(number.replace(",", ".")) + _HALVES[part]
    return GivenRating(value, _HUNDRED if percent else float(out_of) if out_of else None)


def is_quarter(value: float) -> bool:
    """Return True for a number of quarters; averages of many readers are hardly ever one."""
    return (value * _STEP).is_integer()


def parse_stars(cell: str, scale: int, notes: list[Phrase]) -> float | None:
    """Return the stars, in quarters; None for a blank value or 0. `scale`: the file's highest rating."""
    given = parse_rating(cell)
    stars = given.value * STARS_MAX / ((given.out_of or scale) or 1) if given else -1
    if not given or given.out_of == 0 or stars > STARS_MAX:
        notes.append(
            phrase(
                "rating {rating} left out: not a number of stars from {least} to {most}",
                rating=quoted(cell),
                least=1 / _STEP,
                most=STARS_MAX,
            )
        )
        return None
    if not stars:
        return None
    quarters = max(round(stars * _STEP), 1) / _STEP
    if abs(quarters - stars) > 1e-9:  # noqa: PLR2004 - what division leaves
        rounded = phrase("rating {rating} rounded to {stars} stars", rating=shown(cell), stars=quarters)
        notes.append(rounded)
    return quarters


_SPLIT = re.compile(r"[,;|/]")
_GROUPED = re.compile(r"\d{1,3}(?:[,. ]\d{3}){2,}(?:\.0+)?")
_JUNK = re.compile(r"""\.0+$|[\s\-\u2010-\u2015="'.]|^ISBN(?:-?1[03])?:?""", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+|97[89]\d{4}0{6}(?:\.0+)?", re.IGNORECASE)
_TEN = re.compile(r"[0-9]{9}[0-9X]")
_THIRTEEN = re.compile(r"97[89]\d{10}")
_SHORT = re.compile(r"\d{6,8}[\dX]")
_SHOWN = 20

_GOOD13, _GOOD10, _PADDED, _WRONG, _NONE = range(5)


def choose_isbn(values: Iterable[str], notes: list[Phrase]) -> str:
    """Return the best ISBN of those given, 10 or 13 characters, or the empty string.

    Best is an ISBN-13 with a right check digit, then such an ISBN-10, then one
    that has lost its leading zeros, then one of full length with a wrong check
    digit (books are printed with those), which is noted. What is no ISBN, or
    what a spreadsheet has rounded to other digits than the chosen one's, is noted.
    """
    given = [part for value in values for part in _parts(value)]
    ranked = [found for value in given if (found := _ranked(value))]
    rank, isbn = min(ranked, key=lambda pair: pair[0], default=(_NONE, ""))
    rounded = [value for value in given if _ROUNDED.fullmatch(value)]
    notes.extend(_isbn_fault(value) for value in (rounded if isbn else given) if not _fits(value, isbn))
    if rank == _WRONG:
        notes.append(phrase("isbn {isbn} kept, though its check digit is wrong", isbn=repr(isbn)))
    return isbn


def _fits(rounded: str, isbn: str) -> bool:
    """Return True if the ISBN is one of those that a spreadsheet has rounded to this number."""
    if not isbn or not _ROUNDED.fullmatch(rounded):
        return False
    mantissa = re.sub(r"\D", "", rounded.upper().split("E")[0].removesuffix(".0"))
    digits = len(mantissa.rstrip("0"))
    return round(int(to_isbn13(isbn)), digits - 13) == int(mantissa.ljust(13, "0"))


def _parts(value: str) -> Iterator[str]:
    value = value.strip()
    if _ROUNDED.fullmatch(value):
        yield value
    elif _GROUPED.fullmatch(value):
        yield re.sub(r"[,. ]|\.0+$", "", value)
    else:
        yield from filter(_bare, _SPLIT.split(value))


def _bare(value: str) -> str:
    return _JUNK.sub("", value.strip().upper())


def _ranked(value: str) -> tuple[int, str] | None:
    isbn = _bare(value)
    if _ROUNDED.fullmatch(value):
        return None
    if _THIRTEEN.fullmatch(isbn):
        return (_GOOD13 if is_isbn13(isbn) else _WRONG), isbn
    if _TEN.fullmatch(isbn):
        return (_GOOD10 if is_isbn10(isbn) else _WRONG), isbn
    if _SHORT.fullmatch(isbn) and is_isbn10(isbn.zfill(10)):
        return _PADDED, isbn.zfill(10)
    return None


def _isbn_fault(value: str) -> Phrase:
    rounded = _ROUNDED.fullmatch(value) is not None
    why = phrase("a spreadsheet has rounded it") if rounded else phrase("not an ISBN")
    return phrase("isbn {isbn} left out: {why}", isbn=repr(value.strip()[:_SHOWN]), why=why)
