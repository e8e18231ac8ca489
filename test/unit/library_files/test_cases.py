"""The right value of each case in fixtures/libraries/cases, whose kinds of faults other programs have."""

from datetime import date
from typing import Any

import msgspec
import pytest
from unit.library_files.files import FIXTURES, fixture, refusals, texts, whole

from bookshelf.shelf.library_files import UP_NEXT, Entry, Library, ListPlace
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
    assert texts(found["Own Perimeter"].warnings) == (
        "'Garden' is no known state: the book is in a list of this name",
    )
    assert found["Wide Perimeter"].book.ids == {
        "bookwyrm": "https://example.org/book/1",
        "openlibrary": "OL1M",
    }
    assert found["Wide Perimeter"].book.extra["BookWyrm: review_cw"] == "violence"


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
    (remark,) = [text for text in texts(case("librarything-latin1.tsv").remarks) if "nearly as well" in text]
    assert "Été" in remark
    assert "cp125" in remark


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
    assert (refusal.line, str(refusal.reason)) == (5, "Openreads has marked the book as deleted")


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


@pytest.mark.parametrize("path", sorted((FIXTURES / "cases").glob("*.[ct]s*v")), ids=lambda path: path.name)
def test_every_value_of_every_column_is_counted_and_has_a_use(path: Any) -> None:  # noqa: ANN401 (a path)
    found = fixture(f"cases/{path.name}", today=TODAY)
    assert [use.name for use in found.columns] == [name for name in dict.fromkeys(found.header) if name]
    assert all(use.field for use in found.columns)
    assert sum(use.values for use in found.columns) > 0
