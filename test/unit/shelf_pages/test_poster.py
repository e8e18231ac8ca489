"""The picture of a year: whole, safe and in bounds for any number of books and any title."""

import re
from xml.etree import ElementTree as ET

import pytest

from bookshelf.covers.drawing import LAYOUTS, PALETTES
from bookshelf.shelf.pages.poster import HEIGHT, WIDTH, Poster, arrange, draw_poster, palettes

SVG = "{http://www.w3.org/2000/svg}"


def drawn(poster: Poster) -> ET.Element:
    return ET.fromstring(draw_poster(poster, b"a font"))  # noqa: S314 (our own)


def books(count: int) -> list[dict[str, object]]:
    return [
        {"id": f"b{number}", "title": f"Book {number}", "author": f"A{number}"} for number in range(count)
    ]


def texts(picture: ET.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def test_the_picture_has_year_facts_covers_and_foot() -> None:
    poster = Poster(
        heading="My year", year="2025", facts=["3 books.", "Longest: Emma."], books=books(3), foot="F"
    )
    picture = drawn(poster)
    shown = texts(picture)
    assert shown[:4] == ["MY YEAR", "2025", "3 books.", "Longest: Emma."]
    assert shown[-1] == "F"
    assert {"Book 0", "Book 1", "Book 2", "A0", "A1", "A2"} <= set(shown)
    assert (picture.get("width"), picture.get("height")) == (str(WIDTH), str(HEIGHT))


def test_parts_that_are_switched_off_are_missing() -> None:
    assert texts(drawn(Poster(heading="", year="2025"))) == ["2025"]


@pytest.mark.parametrize(
    "title", ['<script>alert("1")</script>', "a & b", "]]>", "\u202e\u05d0", "'\"`", "x" * 1000]
)
def test_a_title_is_always_text(title: str) -> None:
    poster = Poster(heading=title, year="2025", facts=[title], books=[{"title": title}], foot=title)
    picture = drawn(poster)
    assert {element.tag for element in picture.iter()} == {
        *(element.tag for element in drawn(Poster(heading="a", year="2025", books=books(1))).iter())
    }
    assert not [key for element in picture.iter() for key in element.keys() if key.startswith("on")]  # noqa: SIM118 (an Element)


def test_the_picture_contains_all_that_it_refers_to() -> None:
    source = draw_poster(Poster(heading="", year="2025", books=books(30), images={"b3": b"RIFF"}), b"a font")
    references = re.findall(r'(?:href="|url\()([^")]*)', source)
    assert references
    assert all(reference.startswith(("#", "data:")) for reference in references)
    ids = set(re.findall(r'id="(\w+)"', source))
    assert {reference[1:] for reference in references if reference.startswith("#")} <= ids
    assert {f"m{layout}" for layout in range(LAYOUTS)} <= ids


def test_an_uploaded_cover_is_embedded_in_the_place_of_the_generated_one() -> None:
    picture = drawn(Poster(heading="", year="2025", books=books(2), images={"b1": b"RIFF"}))
    [image] = picture.iter(f"{SVG}image")
    assert image.get("href") == "data:image/webp;base64,UklGRg=="
    assert "Book 1" not in texts(picture)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 31, 60, 113, 150])
@pytest.mark.parametrize("height", [450.0, 640.0, 808.0])
def test_covers_stay_inside_their_part_of_the_picture(count: int, height: float) -> None:
    grid = arrange(count, height)
    rows = -(-count // grid.columns)
    assert grid.cover > 30
    assert grid.cover + (min(count, grid.columns) - 1) * grid.step <= 912.5
    assert rows * 1.5 * grid.cover + (rows - 1) * 0.16 * grid.cover <= height + 0.5


def test_many_books_do_not_make_the_picture_endless() -> None:
    picture = draw_poster(Poster(heading="", year="2025", books=books(2000)), b"a font")
    assert len(picture) < 150_000


def test_a_foot_that_is_too_long_is_cut_after_a_whole_title() -> None:
    foot = " \u00b7 ".join(f"Title number {number}" for number in range(40))
    shown = texts(drawn(Poster(heading="", year="2025", foot=foot)))[-1]
    assert re.fullmatch(r"(Title number \d+ \u00b7 )*Title number \d+ \u2026", shown)


def test_the_palettes_are_those_of_the_style_sheet() -> None:
    assert len(palettes()) == PALETTES
