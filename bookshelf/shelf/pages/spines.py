"""Generates the spines of the shelf's third view: width by pages, height by format, a title that fits."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import msgspec

from bookshelf.covers.drawing import choose, short_title, width
from bookshelf.shelf.languages import language_tag
from bookshelf.shelf.pages.covers import first_author, palette_of

#: Fewer pages than the first make the narrowest of five widths. A book of unknown length has the third.
_PAGES = (150, 300, 450, 700)
_UNKNOWN_WIDTH = 3
#: Heights of formats, as numbers of classes, and the same in rem.
_HEIGHTS = {"ebook": 1, "audiobook": 1, "paperback": 2, "hardcover": 4}
_OTHER_HEIGHT = 3
_REM = {1: 12.2, 2: 13.3, 3: 14.3, 4: 15.2}
_PADDING, _GAP = 1.6, 0.8
#: Font sizes of a title in rem, largest first; the narrowest spines have no room for the first.
_SIZES = (1.05, 0.9, 0.78, 0.68)
_SMALL_FIRST = {1: 3, 2: 2}
#: From this thickness on a long title may have two lines, in the size with this number.
_TWO_LINES_FROM, _TWO_LINES_SIZE = 3, 3
#: How full two lines may be, because words do not break.
_TWO_LINES = 1.7
_AUTHOR_SIZE = 0.66
#: A letter of the text font is at most this much wider than one of the title font.
_TEXT_FONT = 1.15
_BANDS = 3


class GeneratedSpine(msgspec.Struct, frozen=True):
    """What a spine shows: numbers of its classes, its title, and the author if there is room."""

    palette: int
    thickness: int
    height: int
    size: int
    band: int
    title: str
    author: str = ""
    two_lines: bool = False
    language: str = ""

    @property
    def classes(self) -> str:
        """Return the classes of the element."""
        lines = " m" if self.two_lines else ""
        return f"spine c{self.palette} w{self.thickness} h{self.height} s{self.size} b{self.band}{lines}"


def generate_spine(book: Mapping[str, Any]) -> GeneratedSpine:
    """Return the spine of a book as the API answers it."""
    title, author, pages = short_title(book.get("title") or ""), first_author(book), book.get("pages")
    thickness = bisect_right(_PAGES, pages) + 1 if pages else _UNKNOWN_WIDTH
    height = _HEIGHTS.get(book.get("format") or "", _OTHER_HEIGHT)
    size, two_lines, rest = _fit(width(title), thickness, _REM[height] - _PADDING)
    fits = width(author) * _AUTHOR_SIZE * _TEXT_FONT <= rest
    return GeneratedSpine(
        palette=palette_of(book),
        thickness=thickness,
        height=height,
        size=size,
        band=choose(author or title, _BANDS, "band"),
        title=title,
        author=author if fits else "",
        two_lines=two_lines,
        language=language_tag(book.get("language")),
    )


def _fit(length: float, thickness: int, room: float) -> tuple[int, bool, float]:
    """Return the number of a title's size, True if it has two lines, and the room that is left, in rem."""
    for number in range(_SMALL_FIRST.get(thickness, 1), len(_SIZES) + 1):
        taken = length * _SIZES[number - 1]
        if taken <= room:
            return number, False, room - taken - _GAP
    two_lines = length * _SIZES[_TWO_LINES_SIZE - 1] <= _TWO_LINES * room
    if thickness >= _TWO_LINES_FROM and two_lines:
        return _TWO_LINES_SIZE, True, 0.0
    return len(_SIZES), False, 0.0
