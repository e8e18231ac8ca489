"""The right value of each case in fixtures/libraries/cases, whose kinds of faults other programs have."""

from datetime import date
from typing import Any

import msgspec
import pytest
from unit.library_files.files import FIXTURES, fixture, refusals, whole

from bookshelf.shelf.library_files import UP_NEXT, Entry, FileReading, Library, ListPlace
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
    assert found.remarks[0] == "the file is read as cp1251; --encoding chooses another encoding"
    assert [
        (entry.book.title, entry.book.author, entry.book.published) for entry in whole(found).values()
    ] == [
        ("Зимняя дорога", "Анна Белова", "1999"),
        ("Соль и мёд", "Пётр Лосев", "2004"),
    ]


def test_chinese_letters_arrive() -> None:
    assert ends("chinese-gbk.csv") == {"山中旧信": ["2023-05-06"], "河边的灯": ["2022-01-02"]}
    assert case("chinese-gbk.csv").encoding == "gb18030"


def test_each_shelf_of_goodreads_is_a_state_or_a_list() -> None:
    found = whole(case("goodreads-shelves.csv"))
    assert {title: readings(entry) for title, entry in found.items()} == {
        "Amber Rooms": [{"end": "open"}],
        "Birch Rooms": [{"end": "open", "paused": True}],
        "Cedar Rooms": [{"end": "abandoned", "stars": 2, "review": "Too long."}],
        "Dune Rooms": [{}, {"ended": "2019-03-02", "stars": 5, "review": "Still fine."}, {"end": "open"}],
        "Elm Rooms": [{}, {}, {}, {"ended": "2017-03-02", "stars": 4}],
        "Fir Rooms": [{"end": "abandoned"}],
        "Gorse Rooms": [{"end": "open", "paused": True, "stars": 3}],
    }
    assert found["Elm Rooms"].lists == (ListPlace("favorites", 1), ListPlace("2017", 9))
    assert found["Birch Rooms"].lists == (ListPlace("slow", 4),)
    assert {entry.added for entry in found.values()} == {"2024-05-05", "2018-05-05", "2016-05-05"}
    assert found["Elm Rooms"].book.copies == 1
    assert not any(entry.warnings for entry in found.values())


def test_hardcover_keeps_half_stars_series_lists_and_minutes() -> None:
    found = whole(case("hardcover.csv"))
    assert {title: readings(entry) for title, entry in found.items()} == {
        "The Salt Clock": [
            {"started": "2025-01-01", "ended": "2025-01-23", "stars": 4.5, "review": "Lovely."}
        ],
        "Ash Orchard": [{"started": "2025-02-01", "end": "open"}],
        "Stone Bread": [{"started": "2024-08-01", "end": "abandoned", "stars": 1.5}],
        "Late Ferry": [{"started": "2024-09-01", "end": "open", "paused": True}],
        "Quiet Ledger": [],
    }
    salt = found["The Salt Clock"]
    assert salt.lists == (ListPlace("Owned"), ListPlace("Best of", 2))
    assert (salt.book.series, salt.book.notes, salt.book.copies) == ((SeriesEntry("Tides", "1"),), "gift", 1)
    assert salt.book.ids == {"hardcover": "11"}
    assert salt.book.extra["Hardcover: Hardcover Edition ID"] == "901"
    ledger = found["Quiet Ledger"]
    assert (ledger.up_next, ledger.book.minutes, ledger.book.format) == (True, 428, "audiobook")


def test_storygraph_keeps_readings_quarters_and_states() -> None:
    found = whole(case("storygraph-rereads.csv"))
    assert {title: readings(entry) for title, entry in found.items()} == {
        "Plum Weather": [
            {"ended": "2021-09-14"},
            {"started": "2022-10-29", "ended": "2022-11-28", "stars": 4.75},
        ],
        "Quince Weather": [{"end": "abandoned", "stars": 2, "review": "Not for me."}],
        "Fig Weather": [{"end": "open"}],
        "Sloe Weather": [{"end": "open", "paused": True}],
        "Lime Weather": [],
    }
    assert found["Lime Weather"].book.tags == ("management", "spanish")
    assert (found["Plum Weather"].book.format, found["Plum Weather"].book.copies) == ("ebook", 0)


def test_libib_keeps_creators_states_and_copies() -> None:
    found = whole(case("libib.csv"))
    assert {
        title: (entry.book.author, readings(entry), entry.book.copies) for title, entry in found.items()
    } == {
        "Tide Tables": (
            "Ana Ruiz, Tom Hale",
            [{"started": "2021-02-01", "ended": "2021-03-04", "stars": 4.5, "review": "Handy."}],
            1,
        ),
        "Night Kilns": ("Ana Ruiz", [{"started": "2024-05-01", "end": "open"}], 2),
        "Old Weirs": ("", [], 1),
        "Grey Loom": ("Pia Noor", [{"started": "2022-01-01", "end": "abandoned", "stars": 2}], 1),
    }
    assert found["Tide Tables"].book.description == "About tides, and more."


def test_bookwyrm_keeps_stopped_readings_ids_and_the_readers_own_shelves() -> None:
    found = whole(case("bookwyrm.csv"))
    assert [readings(entry) for entry in found.values()] == [
        [
            {
                "started": "2025-03-12",
                "ended": "2025-03-21",
                "stars": 4.5,
                "review": "A neat loop\n\nRead it in a week.",
            }
        ],
        [{"started": "2025-03-12", "ended": "2025-04-01", "end": "abandoned", "stars": 1.5}],
        [{"started": "2025-03-12", "end": "open"}],
        [{"ended": "2024-02-02", "stars": 3}],
    ]
    assert found["Own Perimeter"].lists == (ListPlace("Garden"),)
    assert found["Own Perimeter"].warnings == (
        "'Garden' is no known state: the book is in a list of this name",
    )
    assert found["Wide Perimeter"].book.ids == {
        "bookwyrm": "https://example.org/book/1",
        "openlibrary": "OL1M",
    }
    assert found["Wide Perimeter"].book.extra["BookWyrm: review_cw"] == "violence"


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


@pytest.mark.parametrize(
    ("name", "encoding"), [("librarything.tsv", "utf-8"), ("librarything-latin1.tsv", "cp1252")]
)
def test_librarything_keeps_collections_years_and_editors_in_both_encodings(name: str, encoding: str) -> None:
    found = case(name)
    books = whole(found)
    assert (found.form, found.encoding) == ("LibraryThing", encoding)
    orleans = books["L'Été à Orléans"]
    assert orleans.book.contributors == (Contributor("Hélène Dupré", sort="Dupré, Hélène"),)
    assert (orleans.book.published, orleans.book.publisher, orleans.book.tags) == (
        "1979",
        "Plon",
        ("roman", "été"),
    )
    assert (orleans.book.notes, orleans.book.copies) == ("prêté à un ami", 1)
    assert orleans.lists == (ListPlace("Favorites"),)
    assert readings(orleans) == [
        {"started": "2007-04-20", "ended": "2007-05-08", "stars": 4.5, "review": "Belle fin."}
    ]
    assert books["Essays on Tin"].lists == (ListPlace(UP_NEXT),)
    assert (readings(books["Harbour Walks"]), books["Harbour Walks"].book.copies) == ([{"stars": 3}], 0)
    assert readings(books["Lamps of the North"]) == [{"end": "open"}]
    nine = books["Nine Editors, One Table"].book
    assert nine.contributors == (Contributor("Tess Brook", "editor", "Brook, Tess"),)
    assert nine.author == "Tess Brook"


def test_a_second_encoding_that_fits_nearly_as_well_is_shown() -> None:
    (remark,) = [text for text in case("librarything-latin1.tsv").remarks if "nearly as well" in text]
    assert "Été" in remark
    assert "cp125" in remark


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
    assert whole(case("dates.csv"))["Approx"].warnings == ("'summer 2016' read as 2016",)


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


def test_openreads_keeps_every_reading_and_names_deleted_rows() -> None:
    found = case("openreads.csv")
    books = {entry.book.title: entry for entry in found if isinstance(entry, Entry)}
    assert {title: readings(entry) for title, entry in books.items()} == {
        "Copper Wren": [
            {"started": "2019-10-27", "ended": "2019-11-28"},
            {"started": "2023-01-02", "ended": "2023-01-30", "stars": 4.5, "review": "Good twice"},
        ],
        "Iron Wren": [{"started": "2024-05-01", "end": "open"}],
        "Lead Wren": [{"started": "2024-01-01", "ended": "2024-01-09", "end": "abandoned", "stars": 2}],
    }
    assert books["Copper Wren"].book.tags == ("owned", "field notes", "2019", "favourite")
    (refusal,) = refusals(found)
    assert (refusal.line, refusal.reason) == (5, "Openreads has marked the book as deleted")


def test_book_catalogue_keeps_names_series_places_and_loans() -> None:
    found = whole(case("book-catalogue.csv"))
    rivers = found["Glass Rivers"]
    assert rivers.book.contributors == (
        Contributor("Carla Ferro", sort="Ferro, Carla"),
        Contributor("Otto Benn", sort="Benn, Otto"),
    )
    assert (rivers.book.series, rivers.book.location) == ((SeriesEntry("Rivers", "2"),), "attic")
    assert rivers.book.notes == "line one\nline two"
    assert readings(rivers) == [{"started": "2012-12-01", "ended": "2013-01-05", "stars": 4}]
    assert readings(found["Glass Hills"]) == [{"ended": "2014-01-20"}]
    assert (found["Glass Towns"].book.lent_to, found["Glass Towns"].book.ids) == (
        "Sam",
        {"bookcatalogue": "aaaa0003"},
    )
    assert found["Glass Towns"].lists == (ListPlace("Default"), ListPlace("Lent"))


def test_inventaire_is_recognised() -> None:
    (entry,) = whole(case("inventaire.csv")).values()
    assert (entry.book.title, entry.book.author, entry.book.isbn) == (
        "Chalk and Thread",
        "Nell Arden",
        "9780306406157",
    )
    assert (entry.book.notes, entry.book.tags) == ("hard cover\n\nfrom the fair", ("essays",))
    assert (entry.added, entry.lists) == ("2019-03-26T16:37:23.629Z", (ListPlace("attic"),))
    assert entry.book.work == "https://example.org/w/1"


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
    assert [entry.warnings for entry in found.values()] == [
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


@pytest.mark.parametrize("path", sorted((FIXTURES / "cases").glob("*.[ct]s*v")), ids=lambda path: path.name)
def test_every_value_of_every_column_is_counted_and_has_a_use(path: Any) -> None:  # noqa: ANN401 (a path)
    found = fixture(f"cases/{path.name}", today=TODAY)
    assert [use.name for use in found.columns] == [name for name in dict.fromkeys(found.header) if name]
    assert all(use.field for use in found.columns)
    assert sum(use.values for use in found.columns) > 0
