from pathlib import Path

from unit.library_files.files import library, only

from bookshelf.shelf.library_files import identity

EMMA = {"title": "Emma", "author": "Zoë Austen"}


def test_case_spacing_and_the_encoding_of_an_accent_make_no_difference() -> None:
    assert identity({"title": " EMMA ", "author": "Zoe\u0308\tAUSTEN"}) == identity(EMMA)
    assert identity({"title": "Straße", "author": "x"}) == identity({"title": "STRASSE", "author": "x"})


def test_a_field_left_out_is_the_same_as_one_without_a_value() -> None:
    assert (
        identity({**EMMA, "isbn": None, "published": None})
        == identity(EMMA)
        == ("emma", "zoë austen", "", "")
    )


def test_another_edition_is_another_book() -> None:
    assert (
        len({identity(EMMA), identity({**EMMA, "isbn": "1"}), identity({**EMMA, "published": "1815"})}) == 3
    )


def test_a_book_read_from_a_file_has_an_identity(tmp_path: Path) -> None:
    assert identity(only(library(tmp_path, "title,author,year\nEmma,Zoë  Austen,1815\n")).book) == (
        "emma",
        "zoë austen",
        "",
        "1815",
    )
