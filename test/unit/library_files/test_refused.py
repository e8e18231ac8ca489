import csv
from pathlib import Path

import msgspec
from unit.library_files.files import FIXTURES, fixture, library, only, refusals

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.library_files import Entry, Library, write_refused


def written(found: Library) -> str:
    return "".join(write_refused(found, refusals(found)))


def test_the_refused_rows_are_written_as_they_were_with_a_reason() -> None:
    header, *rows = csv.reader(written(fixture("broken.csv")).splitlines())
    assert header == ["title", "author", "year", "tags", "reason"]
    assert rows[1] == ["", "Anonymous", "1300", "verse", "the title is blank: fill it in"]
    assert rows[2][:6] == ["Sonnets", "William Shakespeare", "1609", "verse", "love", "dark lady"]


def test_a_row_that_is_not_whole_stands_in_the_first_cell() -> None:
    rows = list(csv.reader(written(fixture("broken.csv")).splitlines()))
    assert rows[1][:4] == ['"Kim,Rudyard Kipling,1901,india', "", "", ""]


def test_unmended_they_are_refused_again_and_nothing_slips_in(tmp_path: Path) -> None:
    again = library(tmp_path, written(fixture("broken.csv")))
    assert again.rows == len(refusals(again)) == 3
    assert written(again).splitlines()[0] == "title,author,year,tags,reason"


def test_corrected_rows_are_read_and_the_reason_is_not(tmp_path: Path) -> None:
    mended = library(tmp_path, written(fixture("broken.csv")).replace(",Anonymous,", "Beowulf,Anonymous,"))
    (beowulf,) = [entry for entry in mended if entry not in refusals(mended)]
    assert isinstance(beowulf, Entry)
    assert beowulf.raw == ("Beowulf", "Anonymous", "1300", "verse", "the title is blank: fill it in")


def test_a_format_is_still_recognised_when_corrected(tmp_path: Path) -> None:
    text = (
        (FIXTURES / "goodreads.csv")
        .read_text(encoding="utf-8")
        .replace("Jane Eyre", "")
        .replace("080442957X", "")
    )
    (refusal,) = refusals(library(tmp_path, text))
    assert refusal.line == 4
    mended = written(library(tmp_path, text)).replace("10210,,", "10210,Jane Eyre,")
    found = library(tmp_path, mended)
    assert found.form == "Goodreads"
    assert only(found).book["title"] == "Jane Eyre"


def test_the_files_own_delimiter_is_kept(tmp_path: Path) -> None:
    found = library(tmp_path, "title;author\n;Jane Austen\n")
    assert written(found) == "title;author;reason\r\n;Jane Austen;the title is blank: fill it in\r\n"


def test_an_entry_that_the_shelf_would_not_take_can_be_refused_too(tmp_path: Path) -> None:
    found = library(tmp_path, "title,author\nEmma,Jane Austen\n")
    refusal = only(found).entry.refused(Phrase("the shelf is full"))
    assert "".join(write_refused(found, [refusal])).splitlines()[1] == "Emma,Jane Austen,the shelf is full"


def test_json_lines_get_their_reason_as_a_field(tmp_path: Path) -> None:
    good = '{"title":"Emma","author":"Jane Austen"}\n'
    found = library(tmp_path, good + '{"author":"Kim","pages":1.50}\n{"title":\n')
    first, second = written(found).splitlines()
    assert first == '{"author":"Kim","pages":1.50,"reason":"the title is blank: fill it in"}'
    assert msgspec.json.decode(second)["line"] == '{"title":'
