import pytest

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.library_files.values import parse_stars


def given(value: str, scale: int = 5) -> tuple[float | None, list[str]]:
    notes = list[Phrase]()
    return parse_stars(value, scale, notes), list(map(str, notes))


@pytest.mark.parametrize(
    "value", ["4", "4.0", "4,0", "4/5", "8/10", "★★★★", "★★★★☆", "****", "4 stars", " 4 "]
)
def test_four_stars_are_four_however_written(value: str) -> None:
    assert given(value) == (4, [])


@pytest.mark.parametrize("value", ["0", "0.0", "☆☆☆☆☆"])
def test_no_stars_are_no_rating(value: str) -> None:
    assert given(value) == (None, [])


@pytest.mark.parametrize(
    ("value", "stars"),
    [("4.25", 4.25), ("4.5", 4.5), ("3,5", 3.5), ("0.25", 0.25), ("7/10", 3.5), ("4½", 4.5), ("½", 0.5)],
)
def test_quarters_of_a_star_are_kept(value: str, stars: float) -> None:
    assert given(value) == (stars, [])


@pytest.mark.parametrize(("value", "stars"), [("73%", 3.75), ("4.4", 4.5), ("0.01", 0.25), ("7.3/10", 3.75)])
def test_other_parts_of_a_star_are_rounded_to_a_quarter_with_a_note(value: str, stars: float) -> None:
    assert given(value) == (stars, [f"rating '{value}' rounded to {stars:g} stars"])


def test_ten_points_are_five_stars() -> None:
    assert given("8", scale=10) == (4, [])


@pytest.mark.parametrize("value", ["6", "great", "-1", "4/0", "nan", "1e3"])
def test_what_is_no_rating_is_noted(value: str) -> None:
    assert given(value) == (None, [f"rating '{value}' left out: not a number of stars from 0.25 to 5"])
