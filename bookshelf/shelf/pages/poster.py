"""Draws the picture of a year of reading as one SVG: the year, facts, covers; fonts and images are inside.

A viewer needs nothing else: the browser shows it, prints it, and makes a PNG of it.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from math import ceil
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import msgspec

from bookshelf.covers.drawing import (
    FRAME,
    LINE,
    SIZES,
    GeneratedCover,
    is_right_to_left,
    room_of,
    style_sheet,
    width,
    wrap_evenly,
)
from bookshelf.shelf.pages.covers import generate_cover

WIDTH, HEIGHT = 1080, 1350
_MARGIN = 84
_INNER = WIDTH - 2 * _MARGIN
_GROUND, _PAPER, _SOFT = "#1f1b16", "#faf7f1", "#b5ac9c"
_TITLE_FONT = "Shelf,Georgia,Noto Serif,serif"
_TEXT_FONT = "system-ui,Segoe UI,Roboto,Noto Sans,sans-serif"
_FACT_SIZE, _FOOT_SIZE = 42.0, 26.0
#: Where the facts begin; the covers begin below them and end above the foot.
_FACTS_TOP, _COVERS_END, _FOOT_TOP = 428, 1236, 1292
#: The largest width of a cover, the gap between two in parts of it, and how many covers there are.
_LARGEST, _GAP, _COVERS_MAX = 236.0, 0.16, 150
#: A cover is drawn with a width of 100.
_COVER_WIDTH, _COVER_HEIGHT = 100, 150
#: A letter of the text font is at most this much wider than one of the title font.
_TEXT_WIDTH = 1.15


class Poster(msgspec.Struct, frozen=True, kw_only=True):
    """What the picture shows, in the reader's language. `images`: covers as WebP by the id of their book."""

    heading: str
    year: str
    facts: Sequence[str] = ()
    books: Sequence[Mapping[str, Any]] = ()
    images: Mapping[str, bytes] = {}
    foot: str = ""


class Palette(NamedTuple):
    """The colours of a generated cover."""

    ground: str
    text: str
    second: str


class Grid(NamedTuple):
    """Where the covers stand: number of columns, width of a cover, distance of two."""

    columns: int
    cover: float
    step: float


def draw_poster(poster: Poster, font: bytes) -> str:
    """Return the SVG. `font` is the title font as WOFF2."""
    embedded = base64.b64encode(font).decode()
    top = _FACTS_TOP + 56 * len(poster.facts)
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" ',
            f'viewBox="0 0 {WIDTH} {HEIGHT}">',
            f"<title>{escape(' '.join([poster.heading, poster.year, *poster.facts]))}</title>",
            "<style>@font-face{font-family:Shelf;font-weight:600;",
            f"src:url(data:font/woff2;base64,{embedded})}}",
            f".t{{font-family:{_TITLE_FONT};font-weight:600}}.s{{font-family:{_TEXT_FONT};font-weight:500}}",
            "</style><defs>",
            _motifs(),
            '<linearGradient id="spine"><stop stop-opacity=".22"/>',
            '<stop offset=".022" stop-color="#fff" stop-opacity=".16"/>',
            '<stop offset=".034" stop-opacity=".1"/><stop offset=".07" stop-opacity="0"/>',
            '</linearGradient><clipPath id="edge"><rect width="100" height="150" rx="3"/></clipPath></defs>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{_GROUND}"/>',
            _text(poster.heading.upper(), (_MARGIN, 132), 26, "s", _PAPER, 'letter-spacing="4"'),
            _text(poster.year, (_MARGIN - 7, 350), 252, "t", _PAPER),
            *(
                _text(fact, (_MARGIN, _FACTS_TOP + 56 * index), _size_in(fact, _FACT_SIZE), "t", _PAPER)
                for index, fact in enumerate(poster.facts)
            ),
            *_covers(poster, top),
            _text(_shortened(poster.foot), (_MARGIN, _FOOT_TOP), _FOOT_SIZE, "s", _SOFT),
            "</svg>",
        ]
    )


def _text(text: str, at: tuple[float, float], size: float, kind: str, colour: str, more: str = "") -> str:
    x, y = at
    place = f'x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}"'
    return f'<text class="{kind}" {place} {more}>{escape(text)}</text>' if text else ""


def _size_in(text: str, size: float) -> float:
    """Return the size at which a text of the title font is not wider than the picture's inner width."""
    return round(min(size, _INNER / max(width(text), 1)), 1)


def _shortened(text: str) -> str:
    """Return a line of the foot, cut at its last whole name if it is too wide."""
    while width(text) * _FOOT_SIZE * _TEXT_WIDTH > _INNER:
        shorter = text.removesuffix(" \u2026").rpartition(" \u00b7 ")[0]
        if not shorter:
            return text[: int(_INNER / _FOOT_SIZE)] + "\u2026"
        text = f"{shorter} \u2026"
    return text


def arrange(count: int, height: float) -> Grid:
    """Return the grid with the largest covers that has room for `count` of them in the inner width."""
    best = Grid(1, 0.0, 0.0)
    for columns in range(1, count + 1):
        rows = ceil(count / columns)
        wide = _INNER / (columns + _GAP * (columns - 1))
        high = height / (1.5 * rows + _GAP * (rows - 1))
        cover = min(wide, high, _LARGEST)
        if cover > best.cover:
            best = Grid(columns, cover, cover * (1 + _GAP))
    if best.columns > 1 and count > best.columns:
        # whole rows end at the right margin, if that leaves no wide gaps
        even = (_INNER - best.cover) / (best.columns - 1)
        best = best._replace(step=min(even, best.cover * (1 + 2 * _GAP)))
    return best


def _covers(poster: Poster, top: int) -> Iterator[str]:
    books = poster.books[:_COVERS_MAX]
    if not books:
        return
    grid = arrange(len(books), _COVERS_END - top)
    down = grid.cover * (1.5 + _GAP)
    scale = grid.cover / _COVER_WIDTH
    for index, book in enumerate(books):
        row, column = divmod(index, grid.columns)
        place = f"translate({_MARGIN + column * grid.step:.1f} {top + row * down:.1f}) scale({scale:.4f})"
        image = poster.images.get(book.get("id", ""))
        drawn = _generated(generate_cover(book)) if image is None else _uploaded(image)
        yield f'<g transform="{place}" clip-path="url(#edge)">{drawn}</g>'


def _uploaded(image: bytes) -> str:
    data = base64.b64encode(image).decode()
    return (
        f'<rect width="100" height="150" fill="{_GROUND}"/><image width="100" height="150" '
        f'href="data:image/webp;base64,{data}"/>'
    )


def _generated(cover: GeneratedCover) -> str:
    palette = palettes()[cover.palette]
    centred = cover.layout == FRAME
    room, size = room_of(cover.layout), SIZES[cover.size - 1]
    x, anchor = (50, _MIDDLE) if centred else (91, _RIGHT) if is_right_to_left(cover.title) else (9, "")
    # the baseline of the first line is .98 of the size below the top of the text
    first = (20 if centred else 11) + 0.98 * size
    lines = [
        _text(line, (x, first + LINE * size * index), size, "t", palette.text, anchor)
        for index, line in enumerate(wrap_evenly(cover.title, size, room))
    ]
    foot = _foot(cover, palette, centred=centred)
    return (
        f'<rect width="100" height="150" fill="{palette.ground}"/>'
        f'<use href="#m{cover.layout}" width="100" height="150" fill="{palette.second}" '
        f'color="{palette.second}"/>{"".join([*lines, *foot])}<rect width="100" height="150" '
        f'fill="url(#spine)" rx="3" stroke="#fff" stroke-opacity=".16"/>'
    )


def _foot(cover: GeneratedCover, palette: Palette, *, centred: bool) -> Iterable[str]:
    """Yield the author, and the number in the series."""
    if centred:
        yield _text(cover.author, (50, 134), _author_size(cover.author, 76), "s", palette.text, _MIDDLE)
        yield _text(cover.number, (50, 110), 15, "t", palette.text, _MIDDLE)
        return
    size = _author_size(cover.author, 60 if cover.number else 82)
    yield _text(cover.author, (9, 139), size, "s", palette.text)
    yield _text(cover.number, (91, 140.5), 15, "t", palette.text, _RIGHT)


_MIDDLE, _RIGHT = 'text-anchor="middle"', 'text-anchor="end"'


def _author_size(author: str, room: float) -> float:
    return round(min(6.6, room / max(width(author) * _TEXT_WIDTH, 1)), 2)


_PALETTE = re.compile(r"\.c\d+ \{ --ground: (#\w+); --print: (#\w+); --second: (#\w+); \}")


@cache
def palettes() -> list[Palette]:
    """Return the palettes by their number, from the style sheet."""
    return [Palette(*colours) for colours in _PALETTE.findall(style_sheet())]


@cache
def _motifs() -> str:
    """Return the motifs of all layouts as symbols."""
    whole = _static("motifs.svg").decode()
    return whole[whole.index(">") + 1 : whole.rindex("<")].strip()


def title_font() -> bytes:
    """Return the title font of the site."""
    return (files("bookshelf.site") / "static" / "fonts" / "literata-latin.woff2").read_bytes()


def _static(name: str) -> bytes:
    return (files("bookshelf.shelf.pages") / "static" / name).read_bytes()
