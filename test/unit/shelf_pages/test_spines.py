"""Spines: width by pages, height by format, and a title that is shown whole where there is room."""

import pytest

from bookshelf.shelf.pages.covers import palette_of
from bookshelf.shelf.pages.spines import generate_spine


@pytest.mark.parametrize(
    ("pages", "thickness"),
    [(1, 1), (149, 1), (150, 2), (299, 2), (300, 3), (450, 4), (699, 4), (700, 5), (4000, 5), (None, 3)],
)
def test_a_spine_is_as_thick_as_its_pages(pages: int | None, thickness: int) -> None:
    assert generate_spine({"title": "Dune", "pages": pages}).thickness == thickness


@pytest.mark.parametrize(
    ("form", "height"), [("ebook", 1), ("paperback", 2), ("leporello", 3), (None, 3), ("hardcover", 4)]
)
def test_a_spine_is_as_high_as_its_format(form: str | None, height: int) -> None:
    assert generate_spine({"title": "Dune", "format": form}).height == height


def test_a_spine_has_the_palette_of_its_cover() -> None:
    dune = {"title": "Dune", "author": "Frank Herbert"}
    assert generate_spine(dune).palette == palette_of(dune)


def test_a_short_title_leaves_room_for_the_author() -> None:
    assert generate_spine({"title": "Dune", "author": "Frank Herbert", "pages": 320}).author
    long_title = "The Left Hand of Darkness"
    assert not generate_spine({"title": long_title, "author": "Ursula K. Le Guin", "pages": 320}).author


def test_a_long_title_shrinks_and_then_has_two_lines_on_a_thick_spine() -> None:
    title = "Harry Potter and the Order of the Phoenix"
    thin, thick = (generate_spine({"title": title, "pages": pages}) for pages in (100, 500))
    assert (thin.size, thin.two_lines) == (4, False)
    assert (thick.size, thick.two_lines) == (3, True)
    assert generate_spine({"title": "Dune", "pages": 500}).size == 1
