"""The choice of palette, layout and title size of generated covers, and their colours."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bookshelf import covers
from bookshelf.covers.drawing import LAYOUTS, PALETTES, SIZES, choose, fit, short_title, width
from bookshelf.shelf.pages.covers import generate_cover, palette_of

CSS = (Path(covers.__file__).parent / "static" / "covers.css").read_text(encoding="utf-8")


def book(title: str, author: str = "Frank Herbert", **more: object) -> Mapping[str, Any]:
    return {"title": title, "author": author, "contributors": [{"name": author}], **more}


@pytest.mark.parametrize(
    ("author", "palette", "layout"),
    [
        ("Ursula K. Le Guin", 12, 5),
        ("Frank Herbert", 7, 8),
        ("Toni Morrison", 5, 0),
        ("\u5218\u6148\u6b23", 5, 7),
        ("Jane Austen", 14, 7),
        ("J.R.R. Tolkien", 13, 6),
    ],
)
def test_the_choice_of_palette_and_layout_never_changes(author: str, palette: int, layout: int) -> None:
    assert (choose(author, PALETTES, "palette"), choose(author, LAYOUTS, "layout")) == (palette, layout)


def test_the_choice_ignores_case_and_the_form_of_letters() -> None:
    assert choose("O\u0308DO\u0308N", 1000, "palette") == choose("\u00f6d\u00f6n", 1000, "palette")


def test_books_of_one_author_share_a_palette_and_a_layout() -> None:
    first, second = (generate_cover(book(title, "Jane Austen")) for title in ("Emma", "Persuasion"))
    assert (first.palette, first.layout) == (second.palette, second.layout)


def test_books_of_one_series_by_several_authors_share_a_layout() -> None:
    series = [{"name": "Star Wars", "number": "1"}]
    layouts = {generate_cover(book("A", author, series=series)).layout for author in "abcdefgh"}
    assert len(layouts) == 1


def test_books_without_an_author_do_not_all_look_alike() -> None:
    assert len({palette_of({"title": f"Book {number}"}) for number in range(40)}) > 4


def test_the_first_author_precedes_other_contributors() -> None:
    people = [{"name": "Ann", "role": "editor"}, {"name": "Bob"}, {"name": "Cem"}]
    assert generate_cover({"title": "A", "author": "Bob, Cem", "contributors": people}).author == "Bob"


def test_a_cover_has_the_number_of_its_first_series_if_it_is_short() -> None:
    numbers = [
        generate_cover(book("A", series=[{"name": "Dune", "number": number}])).number
        for number in ("2", "2.5", "1965-1985")
    ]
    assert numbers == ["2", "2.5", ""]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Twilight (Twilight, #1)", "Twilight"),
        ("The Two Towers (The Lord of the Rings, #2)", "The Two Towers"),
        ("Emma (1815)", "Emma (1815)"),
        ("(#1)", "(#1)"),
        ("Dune: Messiah", "Dune: Messiah"),
        ("Sapiens: A Brief History of Humankind", "Sapiens"),
        ("The Dispossessed: An Ambiguous Utopia", "The Dispossessed"),
    ],
)
def test_a_title_is_shown_without_series_and_a_long_title_without_subtitle(title: str, shown: str) -> None:
    assert short_title(title) == shown


@pytest.mark.parametrize(
    ("title", "size"),
    [
        ("Dune", 1),
        ("The Left Hand of Darkness", 2),
        ("Middlemarch", 4),
        ("Catch-22", 1),
        ("\u4e09\u4f53", 1),
        ("\u30ce\u30eb\u30a6\u30a7\u30a4\u306e\u68ee", 1),
        ("\U0001f98a", 1),
        ("Donaudampfschifffahrtsgesellschaftskapit\u00e4n", 6),
    ],
)
def test_the_size_of_a_title_is_the_largest_that_fits(title: str, size: int) -> None:
    assert fit(title, 84.0) == (size, title)


def test_a_frame_and_a_ribbon_leave_a_title_less_room() -> None:
    title = "Beloved Friends"
    sizes = [fit(title, room)[0] for room in (84.0, 76.0, 84.0 - 17.0, 76.0 - 17.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize("title", ["a " * 500, "x" * 1000, "\u4e09" * 1000, "wort-" * 200])
def test_a_title_beyond_seven_lines_is_cut_with_an_ellipsis(title: str) -> None:
    size, shown = fit(title, 84.0)
    assert size == len(SIZES)
    assert shown.endswith("\u2026")
    assert title.startswith(shown[:-1])
    assert width(shown) * SIZES[-1] <= 7 * 84.0


@pytest.mark.parametrize("title", ["", " ", "\u200b", "(", "-", "\u3002\u3002"])
def test_a_title_of_signs_has_a_cover(title: str) -> None:
    assert generate_cover(book(title)).classes.startswith("cover c7 l8 t")


def test_a_letter_with_a_rare_accent_is_as_wide_as_the_letter() -> None:
    assert width("\u1ebf") == width("e") > 0
    assert width("e\u0323") == width("e")


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_palette_has_a_readable_print() -> None:
    palettes = re.findall(r"\.c(\d+) \{ --ground: (#\w{6}); --print: (#\w{6}); --second: (#\w{6}); \}", CSS)
    assert [int(number) for number, *_ in palettes] == list(range(PALETTES))
    for _, ground, ink, _ in palettes:
        dark, light = sorted((luminance(ground), luminance(ink)))
        assert (light + 0.05) / (dark + 0.05) >= 6.1


def test_the_style_sheet_has_every_layout_and_every_size() -> None:
    assert {int(number) for number in re.findall(r"\.cover\.l(\d)::before", CSS)} == set(range(LAYOUTS))
    sizes = re.findall(r"\.t(\d) \{ --size: ([\d.]+)cqw; \}", CSS)
    assert [(int(number), float(size)) for number, size in sizes] == list(enumerate(SIZES, start=1))


def test_a_disc_ends_above_an_author_of_two_lines() -> None:
    disc = re.search(r"\.l4::before .*?circle at 71% ([\d.]+)cqw, var\(--second\) ([\d.]+)cqw", CSS)
    author = re.search(r"\.cover i .*?inset-block-end: ([\d.]+)cqw; .*?font: 550 ([\d.]+)cqw / ([\d.]+)", CSS)
    assert disc is not None
    assert author is not None
    (middle, radius), (foot, size, line) = map(float, disc.groups()), map(float, author.groups())
    assert middle - radius >= 75
    assert middle + radius <= 150 - foot - 2 * size * line
