"""Generates the covers of books that have no picture: palette, layout and a title that fits, as CSS classes.

No image is made: covers.css draws a palette, a layout and a title size. Books of one author share a palette,
books of one series a layout. Titles are measured with the widths of the letters of the title font.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files

import msgspec

from bookshelf.covers.letter_widths import WIDTHS

PALETTES, LAYOUTS = 16, 10
#: Font sizes of a title, largest first, in percent of the cover's width; a cover has their number as `t1`.
SIZES = (19.0, 15.5, 12.6, 10.4, 8.6, 7.2)
#: Layouts whose title has another width than the rest: a frame around it, a coloured fore-edge beside it.
FRAME, FORE_EDGE = 1, 8
_ROOMS = {FRAME: 76.0, FORE_EDGE: 82.0}
_ROOM, _RIBBON_ROOM = 84.0, 17.0
#: Height of a title, and of one line in units of its size.
_HEIGHT, LINE = 57.0, 1.1
_LINES_MAX = 7
#: What a browser's rounding may take from a line.
_ROUNDING = 0.985
#: A title that is wider, in em, is cut before its subtitle.
_SUBTITLE_EM = 17.0
_WIDE_EM = 1.02
_NUMBER_MAX = 5

_SERIES_BRACKET = re.compile(r"\s*[(\[][^()\[\]]*#\s*[0-9][^()\[\]]*[)\]]\s*$")
#: A word up to a place where a line may end: after a hyphen that no digit follows, a dash or a slash.
_WORD = re.compile(
    r"[^\s\-\u2010\u2013\u2014/]*(?:[\-\u2010](?=[0-9])[^\s\-\u2010\u2013\u2014/]*)*[\-\u2010\u2013\u2014/]*"
)
_EMOJI = 0x1F000
#: Categories of signs that begin no line, and of signs that end none.
_CLOSING, _OPENING = (
    frozenset({"Po", "Pe", "Pf", "Pd", "Lm", "Cf", "Sk", "Mn", "Mc", "Me"}),
    frozenset({"Ps", "Pi", "Cf"}),
)


class GeneratedCover(msgspec.Struct, frozen=True):
    """What a cover shows: numbers of its palette, layout and title size, and its texts.

    `digest` is that of an uploaded image, which replaces them, and `colour` its main colour; "" without one.
    """

    palette: int
    layout: int
    size: int
    title: str
    author: str
    number: str = ""
    language: str = ""
    ribbon: bool = False
    digest: str = ""
    colour: str = ""

    @property
    def classes(self) -> str:
        """Return the classes of the element."""
        if self.digest:
            return "cover photo"
        ribbon = " k" if self.ribbon else ""
        return f"cover c{self.palette} l{self.layout} t{self.size}{ribbon}"


def choose(text: str, count: int, salt: str) -> int:
    """Return a number below `count` that depends on the text alone, in any case and form of its letters."""
    folded = unicodedata.normalize("NFKC", text).casefold().encode()
    return int.from_bytes(blake2b(folded, digest_size=4, person=salt.encode()).digest()) % count


def draw_cover(
    title: str,
    author: str,
    *,
    series: str = "",
    number: str = "",
    language: str = "",
    ribbon: bool = False,
) -> GeneratedCover:
    """Return the cover of a book; `language` is a tag, `ribbon`: a ribbon hangs over its right side.

    `series` is the name of its series, and `number` the number in it, which is shown if it is short.
    """
    short = short_title(title)
    layout = choose(series or author or short, LAYOUTS, "layout")
    size, shown = fit(short, room_of(layout) - (_RIBBON_ROOM if ribbon else 0))
    return GeneratedCover(
        palette=palette_for(title, author),
        layout=layout,
        size=size,
        title=shown,
        author=author,
        number=number if len(number) <= _NUMBER_MAX else "",
        language=language,
        ribbon=ribbon,
    )


def style_sheet() -> str:
    """Return the style sheet, which has the colours of the palettes."""
    return (files("bookshelf.covers") / "static" / "covers.css").read_text(encoding="utf-8")


def room_of(layout: int) -> float:
    """Return the width of a title in a layout."""
    return _ROOMS.get(layout, _ROOM)


def palette_for(title: str, author: str) -> int:
    """Return the number of the palette of an author, of a title if there is no author."""
    return choose(author or short_title(title), PALETTES, "palette")


def short_title(title: str) -> str:
    """Return a title without the series in brackets, and without its subtitle if it is long."""
    bare = _SERIES_BRACKET.sub("", title) or title
    main, colon, _ = bare.partition(": ")
    return main if colon and main and width(bare) > _SUBTITLE_EM else bare


def width(text: str) -> float:
    """Return the width of a text in em; combining marks have none."""
    return sum(map(_letter_width, text))


@lru_cache(maxsize=2048)
def _letter_width(letter: str) -> float:
    if letter in WIDTHS:
        return WIDTHS[letter] / 1000
    if unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0.0
    if _is_wide(letter):
        return _WIDE_EM
    base = unicodedata.normalize("NFD", letter)[0]
    return WIDTHS[base] / 1000 if base in WIDTHS else _other_width(letter)


#: Letters of Cyrillic and Greek that are wider than the rest.
_WIDE_LETTERS = frozenset("\u0436\u043c\u0444\u0448\u0449\u044b\u044e\u03c6\u03c8\u03c9\u03bc")


def _other_width(letter: str) -> float:
    """Return the width of a letter that the title font lacks: that of DejaVu Serif, which is wide."""
    if letter.lower() == letter.upper():
        return 0.62
    wide = 1.36 if letter.lower() in _WIDE_LETTERS else 1.0
    return wide * (0.96 if letter.isupper() else 0.77)


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF" or ord(letter) > _EMOJI


def wrap_evenly(title: str, size: float, room: float) -> list[str]:
    """Return the lines of a title at a size, about equally long, as `text-wrap: balance` makes them."""
    words = list(_split(title))
    broken = [piece for word, space in words for piece in _break(word, space, size, room)]
    lines = _wrap(broken, size, room) or [title]
    for narrower in range(int(room) - 1, int(room) // 2, -1):
        even = _wrap(broken, size, float(narrower))
        if even is None or len(even) > len(lines):
            break
        lines = even
    return [line.strip() for line in lines]


def is_right_to_left(text: str) -> bool:
    """Return True if the first letter that has a direction is written from right to left."""
    kinds = (unicodedata.bidirectional(letter) for letter in text)
    return next((kind for kind in kinds if kind in {"L", "R", "AL"}), "L") != "L"


@lru_cache(maxsize=4096)
def fit(title: str, room: float) -> tuple[int, str]:
    """Return the number of the largest size at which a title fits, and the title; cut if it fits at none."""
    words = list(_split(title))
    for number, size in enumerate(SIZES, start=1):
        lines = _wrap(words, size, room * _ROUNDING)
        if lines and len(lines) * LINE * size <= _HEIGHT:
            return number, title
    smallest = SIZES[-1]
    broken = [piece for word, space in words for piece in _break(word, space, smallest, room)]
    lines = _wrap(broken, smallest, room * _ROUNDING) or []
    if len(lines) <= _LINES_MAX:
        return len(SIZES), title
    *whole, last = lines[:_LINES_MAX]
    while last and width(f"{last}\u2026") * smallest > room * _ROUNDING:
        last = last[:-1]
    return len(SIZES), "".join([*whole, last.rstrip(" ,;:.-\u2013\u2014/"), "\u2026"])


def _split(title: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts that a line may end after, each with True if a space precedes it."""
    for word in title.split():
        space = True
        for part in _WORD.findall(word):
            for unit in _units(part):
                yield unit, space
                space = False


def _units(part: str) -> Iterator[str]:
    """Yield a part whole, or letter by letter in scripts whose lines may end after any letter."""
    unit = ""
    for letter in part:
        if unit and (_is_wide(letter) or _is_wide(unit[-1])) and not _stays(unit[-1], letter):
            yield unit
            unit = ""
        unit += letter
    if unit:
        yield unit


def _stays(before: str, letter: str) -> bool:
    """Return True if no line may end between two letters: signs, marks, the parts of one emoji."""
    return unicodedata.category(letter) in _CLOSING or unicodedata.category(before) in _OPENING


def _break(word: str, space: bool, size: float, room: float) -> Iterator[tuple[str, bool]]:  # noqa: FBT001 (of a pair)
    """Yield a word, cut where a line is full."""
    piece = ""
    for letter in word:
        if piece and width(piece + letter) * size > room * _ROUNDING:
            yield piece, space
            piece, space = "", False
        piece += letter
    yield piece, space


def _wrap(words: Sequence[tuple[str, bool]], size: float, room: float) -> list[str] | None:
    """Return the lines of a title, each filled before the next; None if a word is wider than a line."""
    lines: list[str] = []
    used = 0.0
    for word, space in words:
        wide = width(word) * size
        if wide > room:
            return None
        gap = WIDTHS[" "] / 1000 * size if space and used else 0.0
        if lines and used + gap + wide <= room:
            lines[-1] += (" " if gap else "") + word
            used += gap + wide
        else:
            if lines and space:
                lines[-1] += " "
            lines.append(word)
            used = wide
    return lines
