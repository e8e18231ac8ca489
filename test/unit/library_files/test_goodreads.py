from datetime import date
from pathlib import Path

from unit.library_files.files import FIXTURES, entries, fixture, library, only

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
        "tags": ["classics", "sea-stories"],
        "notes": "lent to Ada\nin May",
    }
    assert (moby.finished, moby.finished_on, moby.rating) == (True, date(2024, 3, 1), 5)
    assert moby.line == 2
    assert not moby.notes


def test_a_review_in_html_and_over_several_lines_becomes_plain_text() -> None:
    moby = entries(fixture("goodreads.csv"))["Moby-Dick or, the Whale"]
    assert moby.review == "Long.\n\nI loved the chapter on ropes & lines;\na whale <3 of its own."


def test_a_book_to_read_is_unread_and_its_shelf_is_no_tag() -> None:
    eyre = entries(fixture("goodreads.csv"))["Jane Eyre"]
    assert (eyre.finished, eyre.finished_on, eyre.rating, eyre.review) == (False, None, None, None)
    assert eyre.book["tags"] == ["gothic"]
    assert eyre.line == 4  # the record before it has a line end in its review


def test_the_isbn_10_is_taken_where_there_is_no_13() -> None:
    assert entries(fixture("goodreads.csv"))["Jane Eyre"].book["isbn"] == "080442957X"


def test_the_year_of_the_edition_is_taken_where_no_other_is_known() -> None:
    assert entries(fixture("goodreads.csv"))["Vanity Fair"].book["published"] == "2003"


def test_a_book_given_up_is_unread_though_it_has_a_date_and_loses_nothing_silently() -> None:
    fair = entries(fixture("goodreads.csv"))["Vanity Fair"]
    assert not fair.finished
    assert fair.book["tags"] == ["dnf"]
    assert fair.book["notes"] == "Gave up at page 400."
    assert fair.notes == (
        "'dnf' kept as a tag: the book counts as not read",
        "rating 2 left out: the book is not marked as read",
        "review moved to the notes: the book is not marked as read",
    )


def test_the_average_rating_is_not_the_readers() -> None:
    assert entries(fixture("goodreads.csv"))["Jane Eyre"].rating is None


def test_a_book_read_before_and_wanted_again_is_finished(tmp_path: Path) -> None:
    row = "1,Emma,Jane Austen,,,,,0,4.0,,,,,,2020/02/01,,to-read,,to-read,,,,1,0"
    assert only(library(tmp_path, f"{HEADER}\n{row}\n")).finished_on == date(2020, 2, 1)


def test_additional_authors_stay_out_where_there_is_no_room_for_them(tmp_path: Path) -> None:
    row = f'1,Essays,Ann Example,,"{"Bob Sample, " * 100}",,,0,4.0,,,,,,,,,,read,,,,1,0'
    assert only(library(tmp_path, f"{HEADER}\n{row}\n")).book["author"] == "Ann Example"


def test_a_shelf_of_the_readers_own_is_kept_as_a_tag(tmp_path: Path) -> None:
    row = "1,Emma,Jane Austen,,,,,0,4.0,,,,,,,,,,on-loan,,,,0,0"
    emma = only(library(tmp_path, f"{HEADER}\n{row}\n"))
    assert (emma.finished, emma.book["tags"]) == (False, ["on-loan"])
    assert emma.notes == ("'on-loan' kept as a tag: the book counts as not read",)


def test_columns_without_a_place_are_named_once() -> None:
    (remark,) = fixture("goodreads.csv").remarks
    assert remark.startswith("columns without a place on the shelf: Book Id, Average Rating")


def test_a_review_that_joins_the_notes_is_made_plain_once(tmp_path: Path) -> None:
    row = "1,Emma,Jane Austen,,,,,0,4.0,,,,,,,,,,to-read,say &lt;b&gt;,,a<br>b,0,0"
    assert only(library(tmp_path, f"{HEADER}\n{row}\n")).book["notes"] == "a\nb\n\nsay <b>"
