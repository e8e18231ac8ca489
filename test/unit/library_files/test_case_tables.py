"""The right values of the cases that are tables of no certain program: letters, dates, ratings, states."""

from datetime import date
from typing import Any

import msgspec
import pytest
from unit.library_files.files import FIXTURES, fixture, texts, whole

from bookshelf.shelf.library_files import Entry, FileReading, Library, ListPlace
from bookshelf.shelf.values import Contributor, SeriesEntry

TODAY = date(2026, 11, 26)


def case(name: str, **options: Any) -> Library:  # noqa: ANN401 (of Options)
    return fixture(f"cases/{name}", today=TODAY, **options)


def readings(entry: Entry) -> list[dict[str, Any]]:
    """The readings as they differ from a finished one without a date."""
    found: list[dict[str, Any]] = msgspec.to_builtins(entry.readings)
    return list(found)


def ends(name: str) -> dict[str, list[str | None]]:
    return {
        title: [reading.ended for reading in entry.readings] for title, entry in whole(case(name)).items()
    }


@pytest.mark.parametrize("name", ["cyrillic-windows1251.csv", "cyrillic-windows1251-english-header.csv"])
def test_cyrillic_letters_arrive(name: str) -> None:
    found = case(name)
    assert found.encoding == "cp1251"
    assert str(found.remarks[0]) == "the file is read as cp1251; --encoding chooses another encoding"
    assert [
        (entry.book.title, entry.book.author, entry.book.published) for entry in whole(found).values()
    ] == [
        ("Зимняя дорога", "Анна Белова", "1999"),
        ("Соль и мёд", "Пётр Лосев", "2004"),
    ]


def test_chinese_letters_arrive() -> None:
    assert ends("chinese-gbk.csv") == {"山中旧信": ["2023-05-06"], "河边的灯": ["2022-01-02"]}
    assert case("chinese-gbk.csv").encoding == "gb18030"


def test_states_in_many_languages_become_readings_or_lists() -> None:
    found = whole(case("states.csv"))
    finished, opened = [FileReading()], [FileReading(end="open")]
    assert {title: list(entry.readings) for title, entry in found.items()} == {
        **{f"S{number}": finished for number in (1, 7, 8, 9, 10, 11, 13)},
        **{f"S{number}": [] for number in (2, 3, 12, 14)},
        "S4": opened,
        "S5": [FileReading(end="open", paused=True)],
        "S6": [*finished, *opened],
    }
    assert [title for title, entry in found.items() if entry.up_next] == ["S2", "S3", "S12"]
    assert found["S7"].book.copies == 1
    assert found["S14"].lists == (ListPlace("overgive"),)
    assert found["S14"].warnings


def test_every_reading_is_kept_and_the_latest_day_is_the_last() -> None:
    assert ends("reads-newest-first.csv") == {
        "Plum Weather": ["2021-09-14", "2022-11-28"],
        "Pear Weather": ["2021-09-14", "2022-11-28"],
        "Fig Weather": ["2019-01-02", "2020-06-07", "2023-04-05"],
    }
    assert [reading.stars for reading in whole(case("reads-newest-first.csv"))["Plum Weather"].readings] == [
        None,
        5,
    ]


def test_dates_in_many_spellings() -> None:
    found = ends("dates.csv")
    assert {title: days[0] for title, days in found.items()} == {
        "French words": "2024-03-03",
        "French August": "2023-08-15",
        "French first": "2022-07-01",
        "Spanish words": "2024-01-12",
        "German words": "2021-12-24",
        "Italian words": "2020-07-07",
        "Polish words": "2019-05-05",
        "Japanese": "2024-03-01",
        "Year only": "2019",
        "Year month": "2019-07",
        "Month year": "2018-07",
        "Month short": "2018-07",
        "Two digit": "2024-02-03",
        "ISO time zone": "2024-03-01",
        "US words": "2024-03-01",
        "Weekday": "2024-03-01",
        "Java": "2024-03-01",
        "Compact": "2024-03-01",
        "Epoch": "2024-03-01",
        "Approx": "2016",
    }
    assert texts(whole(case("dates.csv"))["Approx"].warnings) == ("'summer 2016' read as 2016",)


def test_partial_dates_and_ratings_out_of_ten() -> None:
    found = whole(case("german-semicolon-partial-dates.csv"))
    assert [readings(entry) for entry in found.values()] == [
        [{"ended": "2024-01", "stars": 4}],
        [{"ended": "2024-02-03", "stars": 5}],
        [{"ended": "2023", "stars": 3}],
    ]


def test_entities_are_decoded_in_every_field() -> None:
    (entry,) = whole(case("goodreads-entities.csv")).values()
    book = entry.book
    assert (book.title, book.series) == ("Hôtel & Café", (SeriesEntry("Nord", "1"),))
    assert book.contributors == (Contributor("Eugène Daman", sort="Daman, Eugène"),)
    assert (book.tags, entry.readings[0].review) == (("food-&-drink",), "Fine & short <3")


@pytest.mark.parametrize("name", ["goodreads-rows-in-quotes.csv", "goodreads-lines-in-quotes.csv"])
def test_lines_that_are_one_quoted_cell_are_unpacked(name: str) -> None:
    found = case(name)
    assert found.form == "Goodreads"
    assert {entry.book.title: (entry.book.isbn, readings(entry)) for entry in whole(found).values()} == {
        "Harbor Street": ("9780306406157", [{"end": "open"}]),
        "Harbor Lights": (None, [{"ended": "2023-03-21", "stars": 4}]),
    }


def test_spaces_around_quotes_are_no_part_of_a_cell() -> None:
    assert {entry.book.title: entry.book.notes for entry in whole(case("spaced-quotes.csv")).values()} == {
        "Paper Foxes": "one, two",
        "Paper Hares": "x",
    }


def test_a_list_of_isbns_is_a_library_of_books_without_titles() -> None:
    found = case("isbn-list.txt")
    assert found.form == "list of ISBNs"
    assert {entry.book.title: entry.book.isbn for entry in whole(found).values()} == {
        "ISBN 9780306406157": "0306406152",
        "ISBN 9781402894626": "9781402894626",
    }
    assert found.rows == 3


def test_ratings_in_many_spellings() -> None:
    found = whole(case("ratings.csv"))
    assert {title: entry.readings[0].stars for title, entry in found.items()} == {
        "Stars emoji": 4,
        "Stars emoji variant": 3,
        "Half star": 3.5,
        "Vulgar half": 4.5,
        "Out of five words": 4,
        "Percent": 4,
        "Out of ten": 3.5,
        "Comma": 3.5,
        "Half": 2.5,
        "Words": 3,
        "Zero": None,
    }


def test_a_long_review_is_kept_whole() -> None:
    (entry,) = whole(case("long-review.csv")).values()
    text = (FIXTURES / "cases" / "long-review.csv").read_text(encoding="utf-8")
    assert entry.readings[0].review
    assert entry.readings[0].review in text
    assert len(entry.readings[0].review) > 15_000
    assert not entry.warnings


def test_damage_of_a_spreadsheet_is_repaired_or_named_once() -> None:
    found = whole(case("excel-mangled.csv"))
    assert {
        title: (entry.book.isbn, entry.book.pages, entry.book.published) for title, entry in found.items()
    } == {
        "Paper Foxes": ("0306406152", 352, "2008"),
        "Paper Hares": (None, 120, "1998"),
        "Paper Mice": ("9780306406157", 1024, "2001"),
        "Paper Owls": ("9780306406157", 96, "2001"),
    }
    assert [entry.readings[0].ended for entry in found.values()] == [
        "2024-03-01",
        "2021-01-01",
        "2024-03-01",
        None,
    ]
    assert [texts(entry.warnings) for entry in found.values()] == [
        (),
        ("isbn '9.78031E+12' left out: a spreadsheet has rounded it",),
        ("'3/1/2024 0:00' read as 2024-03-01: no date in the file proves the order of day and month",),
        ("read, but on no known day: '########' a spreadsheet has destroyed it",),
    ]
    assert case("excel-mangled.csv").dates_assumed
    day_first = whole(case("excel-mangled.csv", day_first=True))
    assert (day_first["Paper Mice"].readings[0].ended, day_first["Paper Mice"].warnings) == ("2024-01-03", ())


def test_a_title_or_author_in_any_script_arrives() -> None:
    assert set(whole(case("cjk-titles.csv"))) == {"山中旧信", "雪の手紙と猫", "가나다라 이야기"}
    assert "Émile's Boat" in whole(case("sort-titles.csv"))


def test_a_year_is_kept_as_text() -> None:
    found = whole(case("years.csv"))
    assert [entry.book.published for entry in found.values()] == [
        "-1200",
        "c. 800 BC",
        "750",
        "1000",
        "2021",
        "May 2007",
        "n.d.",
    ]


def test_an_isbn_arrives_without_hyphens() -> None:
    assert [entry.book.isbn for entry in whole(case("isbn-search.csv")).values()] == [
        "9780306406157",
        "0306406152",
    ]


def test_a_wanted_book_is_up_next() -> None:
    found = whole(case("restore-after-removing.csv"))
    assert (found["Blue Kiln"].readings[0].ended, found["Red Kiln"].up_next) == ("2024-01-02", True)
