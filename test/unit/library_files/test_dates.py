from datetime import date

import pytest

from bookshelf.shelf.library_files.format import Fields
from bookshelf.shelf.library_files.formats import GOODREADS
from bookshelf.shelf.library_files.reading_state import gather
from bookshelf.shelf.library_files.values import parse_date

FIRST_OF_MARCH = date(2024, 3, 1)


@pytest.mark.parametrize(
    "text",
    [
        "2024/03/01",
        "2024-03-01",
        "2024-3-1",
        "2024.03.01",
        "2024-03-01T23:59:59+02:00",
        "2024-03-01 10:00",
        "Mar 01, 2024",
        "March 1st, 2024",
        "1 March 2024",
        "01-Mar-2024",
        "1. März 2024",
        "01.03.2024",
        "1.3.24",
        "2024/02/01-2024/03/01",
        "2023-01-01-2023-01-05, 2024-02-01-2024-03-01",
    ],
)
def test_a_day_is_understood_as_it_is_usually_written(text: str) -> None:
    assert parse_date(text, day_first=False) == FIRST_OF_MARCH


@pytest.mark.parametrize(("day_first", "day"), [(True, FIRST_OF_MARCH), (False, date(2024, 1, 3))])
def test_two_small_numbers_are_read_as_the_file_says(*, day_first: bool, day: date) -> None:
    assert parse_date("01/03/2024", day_first=day_first) == day


@pytest.mark.parametrize("text", ["31/12/2024", "12/31/2024", "12-31-24"])
def test_a_number_past_twelve_is_the_day_whatever_the_file_says(text: str) -> None:
    assert parse_date(text, day_first=True) == parse_date(text, day_first=False) == date(2024, 12, 31)


@pytest.mark.parametrize(
    "text", ["2024", "2024-03", "last summer", "2024-02-30", "30/30/2024", "Foo 1, 2024", ""]
)
def test_what_names_no_day_is_none(text: str) -> None:
    assert parse_date(text, day_first=False) is None


def days(*texts: str) -> list[Fields]:
    return [{"when": [text]} for text in texts]


def test_most_dates_of_a_file_decide_and_dots_have_no_say() -> None:
    found = gather(days("25/12/2023", "31.12.2023", "13/01/2024", "01/13/2024"), GOODREADS, ",")
    assert (found.rows, found.day_first, found.sure) == (4, True, True)


def test_iso_dates_decide_nothing() -> None:
    assert not gather(days("2023-12-25", "01/02/2024"), GOODREADS, ",").sure
