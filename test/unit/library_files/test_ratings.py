import pytest

from bookshelf.shelf.library_files.values import parse_stars


def given(value: str, scale: int = 5) -> tuple[int | None, list[str]]:
    notes: list[str] = []
    return parse_stars(value, scale, notes), notes


@pytest.mark.parametrize(
    "value", ["4", "4.0", "4,0", "4/5", "8/10", "★★★★", "★★★★☆", "****", "4 stars", " 4 "]
)
def test_four_stars_are_four_however_written(value: str) -> None:
    assert given(value) == (4, [])


@pytest.mark.parametrize("value", ["0", "0.0", "☆☆☆☆☆"])
def test_no_stars_are_no_rating(value: str) -> None:
    assert given(value) == (None, [])


@pytest.mark.parametrize(("value", "whole"), [("4.25", 4), ("4.5", 5), ("3,5", 4), ("0.25", 1), ("7/10", 4)])
def test_parts_of_a_star_are_rounded_half_up_with_a_note(value: str, whole: int) -> None:
    assert given(value) == (whole, [f"rating '{value}' rounded to {whole}"])


def test_ten_points_are_five_stars() -> None:
    assert given("8", scale=10) == (4, [])


@pytest.mark.parametrize("value", ["6", "great", "-1", "4/0", "nan", "1e3"])
def test_what_is_no_rating_is_noted(value: str) -> None:
    assert given(value) == (None, [f"rating '{value}' left out: not a number of stars from 1 to 5"])
