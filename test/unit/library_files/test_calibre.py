from datetime import date
from pathlib import Path

import pytest
from unit.library_files.files import entries, fixture, library, only


def test_a_catalog_is_recognised_by_its_header() -> None:
    found = fixture("calibre.csv")
    assert (found.form, found.rows) == ("Calibre", 2)


def test_a_book_arrives_with_the_isbn_whose_x_the_catalog_has_dropped() -> None:
    moon = entries(fixture("calibre.csv"))["From the Earth to the Moon"]
    assert moon.book == {
        "title": "From the Earth to the Moon",
        "author": "Jules Verne, Edward Roth",
        "published": "1865-10-28",
        "isbn": "080442957X",
        "language": "eng",
        "tags": ["adventure", "moon"],
        "notes": "Three men & a dog.\n\nTo the moon.",
    }


def test_its_ratings_are_stars_already_and_halves_stay() -> None:
    moon = entries(fixture("calibre.csv"))["From the Earth to the Moon"]
    assert (moon.rating, moon.notes) == (4.5, ())


def test_custom_columns_are_read_as_state_and_date_of_a_reading() -> None:
    moon = entries(fixture("calibre.csv"))["From the Earth to the Moon"]
    assert (moon.finished, moon.finished_on) == (True, date(2024, 2, 3))


def test_calibres_unknown_date_is_no_date() -> None:
    sagen = entries(fixture("calibre.csv"))["Sagen"]
    assert sagen.book == {"title": "Sagen", "author": "Unknown", "language": "deu"}


@pytest.mark.parametrize(
    ("isbn", "mended"), [("080442957", "080442957X"), ("9780142437247", "9780142437247")]
)
def test_an_isbn_column_alone_gets_its_x_back(tmp_path: Path, isbn: str, mended: str) -> None:
    content = f"authors,isbn,timestamp,title,uuid\nJules Verne,{isbn},2024-01-05T10:00:00+00:00,Topaz,u\n"
    assert only(library(tmp_path, content)).book["isbn"] == mended


def test_authors_joined_as_calibredb_list_does_are_parted_by_commas(tmp_path: Path) -> None:
    content = "authors,timestamp,title,uuid\nAnn Example & Bob Sample,t,Topaz,u\n"
    assert only(library(tmp_path, content)).book["author"] == "Ann Example, Bob Sample"
