from datetime import date
from pathlib import Path

from unit.library_files.files import FIXTURES, entries, fixture, library, only

from bookshelf.shelf import limits
from bookshelf.shelf.library_files import ListPlace

HEADER = (FIXTURES / "goodreads.csv").read_text(encoding="utf-8").partition("\n")[0]


def test_goodreads_is_recognised_by_its_header() -> None:
    found = fixture("goodreads.csv")
    assert (found.form, found.rows) == ("Goodreads", 4)


def test_a_read_book_arrives_with_all_that_a_shelf_holds() -> None:
    moby = entries(fixture("goodreads.csv"))["Moby-Dick or, the Whale"]
    assert moby.book == {
        "title": "Moby-Dick or, the Whale",
        "author": "Herman Melville, Andrew Delbanco, Tom Quirk",
        "published": "1851",
        "isbn": "9780142437247",
        "pages": 654,
        "notes": "lent to Ada\nin May",
    }
    assert moby.entry.lists == (ListPlace("classics", 1), ListPlace("sea-stories", 3))
    assert (moby.finished, moby.finished_on, moby.rating) == (True, date(2024, 3, 1), 5)
    assert moby.line == 2
    assert not moby.notes


def test_a_review_in_html_and_over_several_lines_becomes_plain_text() -> None:
    moby = entries(fixture("goodreads.csv"))["Moby-Dick or, the Whale"]
    assert moby.review == "Long.\n\nI loved the chapter on ropes & lines;\na whale <3 of its own."


def test_a_book_to_read_is_unread_and_its_shelves_are_no_tags() -> None:
    eyre = entries(fixture("goodreads.csv"))["Jane Eyre"]
    assert (eyre.finished, eyre.finished_on, eyre.rating, eyre.review) == (False, None, None, None)
    assert "tags" not in eyre.book
    assert eyre.entry.lists == (ListPlace("up-next", 7), ListPlace("gothic", 2))
    assert eyre.line == 4  # the record before it has a line end in its review


def test_the_isbn_10_is_taken_where_there_is_no_13() -> None:
    assert entries(fixture("goodreads.csv"))["Jane Eyre"].book["isbn"] == "080442957X"


def test_the_year_of_the_edition_is_taken_where_no_other_is_known() -> None:
    assert entries(fixture("goodreads.csv"))["Vanity Fair"].book["published"] == "2003"


def test_a_book_given_up_is_an_abandoned_reading_with_its_date_rating_and_review() -> None:
    fair = entries(fixture("goodreads.csv"))["Vanity Fair"]
    assert not fair.finished
    (reading,) = fair.entry.readings
    assert (reading.end, reading.stars, reading.review) == ("abandoned", 2, "Gave up at page 400.")
    assert reading.ended
    assert fair.notes == ()


def test_the_average_rating_is_not_the_readers() -> None:
    assert entries(fixture("goodreads.csv"))["Jane Eyre"].rating is None


def test_a_book_read_before_and_wanted_again_is_finished(tmp_path: Path) -> None:
    row = "1,Emma,Jane Austen,,,,,0,4.0,,,,,,2020/02/01,,to-read,,to-read,,,,1,0"
    assert only(library(tmp_path, f"{HEADER}\n{row}\n")).finished_on == date(2020, 2, 1)


def test_additional_authors_beyond_the_limit_are_named(tmp_path: Path) -> None:
    others = ", ".join(f"Bob {number}" for number in range(60))
    row = f'1,Essays,Ann Example,,"{others}",,,0,4.0,,,,,,,,,,read,,,,1,0'
    essays = only(library(tmp_path, f"{HEADER}\n{row}\n"))
    assert len(essays.entry.book.contributors) == limits.CONTRIBUTORS_MAX
    assert essays.notes[0].startswith("11 contributors left out: Bob 49, Bob 50")


def test_a_shelf_of_the_readers_own_is_a_list(tmp_path: Path) -> None:
    row = "1,Emma,Jane Austen,,,,,0,4.0,,,,,,,,,,on-loan,,,,0,0"
    emma = only(library(tmp_path, f"{HEADER}\n{row}\n"))
    assert (emma.finished, emma.entry.lists) == (False, (ListPlace("on-loan"),))
    assert emma.notes == ("'on-loan' is no known state: the book is in a list of this name",)


def test_columns_that_are_left_out_are_named_once() -> None:
    (remark,) = fixture("goodreads.csv").remarks
    assert str(remark) == "columns left out: Average Rating"


def test_a_review_of_an_unread_book_is_one_of_the_book(tmp_path: Path) -> None:
    row = "1,Emma,Jane Austen,,,,,0,4.0,,,,,,,,,,to-read,say &lt;b&gt;,,a<br>b,0,0"
    emma = only(library(tmp_path, f"{HEADER}\n{row}\n"))
    assert (emma.book["notes"], emma.entry.review) == ("a\nb", "say <b>")
