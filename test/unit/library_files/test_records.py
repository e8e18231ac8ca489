import io

import pytest
from unit.library_files.files import entries, fixture, refusals, texts

from bookshelf.shelf.library_files import Entry
from bookshelf.shelf.library_files.csv_records import CsvRecord, Dialect, records
from bookshelf.shelf.limits import RECORD_MAX, REREADS_MAX


def read(text: str, width: int = 0) -> list[CsvRecord]:
    return list(records(io.StringIO(text, newline=""), Dialect(","), width))


def test_a_record_is_numbered_by_the_line_on_which_it_starts() -> None:
    found = read('a,"one\ntwo"\n\nb,c\n', 2)
    assert [(record.line, record.cells) for record in found] == [(1, ["a", "one\ntwo"]), (4, ["b", "c"])]


def test_records_without_a_word_are_passed_over() -> None:
    assert [record.line for record in read("a,b\n,,,\n , \n\nc,d\n")] == [1, 5]


def test_a_quote_never_closed_costs_its_own_line_alone() -> None:
    found = read('a,"b\nc,d\ne,f\n', 2)
    assert [(record.line, bool(record.fault)) for record in found] == [(1, True), (2, False), (3, False)]
    assert found[0].cells == ['a,"b']


def test_a_quote_closed_by_a_later_record_costs_its_own_line_alone() -> None:
    found = read('a,"b\nc,d",e\nf,g\n', 2)
    assert [record.cells for record in found if not record.fault] == [["f", "g"]]
    assert [record.line for record in found if record.fault] == [1, 2]


def test_a_line_inside_a_broken_record_is_no_record_of_its_own() -> None:
    found = read('a,b,"c "said" d\nhe, of course\n"\ne,f,g\n', 3)
    assert [record.cells for record in found if not record.fault] == [["e", "f", "g"]]


def test_a_cell_longer_than_csv_allows_is_a_fault() -> None:
    found = read(f"a,{'b' * 200_000}\nc,d\n")
    assert (found[0].line, "too long" in str(found[0].fault)) == (1, True)
    assert found[1].cells == ["c", "d"]


def test_a_line_longer_than_any_record_is_passed_over_to_its_end() -> None:
    found = read(f"a,{'b,' * RECORD_MAX}\nc,d\n")
    assert [(record.line, bool(record.fault)) for record in found] == [(1, True), (2, False)]
    assert len(found[0].cells[0]) == 1_000


def test_a_file_of_nothing_but_open_quotes_is_not_read_over_and_over() -> None:
    lines = 3 * REREADS_MAX
    found = read('a","b\n' * lines, 2)
    assert all(record.fault for record in found)
    assert sum(record.cells[0].count("\n") + 1 for record in found) >= lines


@pytest.fixture(name="good")
def read_good_records() -> list[Entry]:
    return [entry for entry in fixture("broken.csv") if isinstance(entry, Entry)]


def test_every_good_row_of_a_broken_file_arrives(good: list[Entry]) -> None:
    assert [(entry.line, entry.book.title) for entry in good] == [
        (2, "Silas Marner"),
        (4, "Lord Jim"),
        (5, "The \"Nun's Priest's\" Tale"),
        (7, "Beowulf"),
        (10, "Short Row"),
        (12, "Villette"),
    ]


def test_every_bad_row_is_refused_with_its_line_and_what_to_correct() -> None:
    assert [(refusal.line, str(refusal.reason)) for refusal in refusals(fixture("broken.csv"))] == [
        (3, 'a " is opened or closed in the wrong place: correct the quotes'),
        (6, "the title is blank: fill it in"),
        (8, "6 cells, but 4 columns: a text with a ',' in it needs quotes around it"),
    ]


def test_a_row_that_ends_early_is_taken_with_a_note(good: list[Entry]) -> None:
    assert texts(good[4].warnings) == ("the row ends after 2 of 4 cells",)


def test_the_number_of_rows_is_known_beforehand() -> None:
    assert fixture("broken.csv").rows == len(list(fixture("broken.csv"))) == 9


def test_a_library_can_be_read_again() -> None:
    found = fixture("goodreads.csv")
    assert entries(found) == entries(found)
