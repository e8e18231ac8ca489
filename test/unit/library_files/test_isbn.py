import pytest

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.library_files.values import choose_isbn


def chosen(*values: str) -> tuple[str, list[str]]:
    notes = list[Phrase]()
    return choose_isbn(values, notes), list(map(str, notes))


@pytest.mark.parametrize(
    "value",
    ['="9780142437247"', "978-0-14-243724-7", "978 0142437247", "ISBN-13: 9780142437247", "9780142437247.0"],
)
def test_an_isbn_is_found_under_what_is_written_around_it(value: str) -> None:
    assert chosen(value) == ("9780142437247", [])


@pytest.mark.parametrize("value", ["0-8044-2957-x", '="080442957X"', "80442957X"])
def test_a_final_x_and_lost_zeros_are_corrected(value: str) -> None:
    assert chosen(value) == ("080442957X", [])


def test_the_thirteen_is_better_than_the_ten() -> None:
    assert chosen("0142437247", "9780142437247") == ("9780142437247", [])


def test_of_several_in_one_cell_the_best_is_taken() -> None:
    assert chosen("0142437247, 9780142437247; nothing") == ("9780142437247", [])


def test_a_right_ten_is_better_than_a_wrong_thirteen() -> None:
    assert chosen("9780142437240", "0142437247") == ("0142437247", [])


@pytest.mark.parametrize("value", ["9.78043902348e+12", "9,78044E+12", "9780439000000"])
def test_what_a_spreadsheet_has_rounded_is_passed_over_for_another(value: str) -> None:
    assert chosen(value, "439023483") == ("0439023483", [])


@pytest.mark.parametrize("value", ["9.78043902348e+12", "9,78044E+12", "9780439000000"])
def test_what_a_spreadsheet_has_rounded_is_noted_where_there_is_no_other(value: str) -> None:
    assert chosen(value) == ("", [f"isbn '{value}' left out: a spreadsheet has rounded it"])


def test_a_printed_isbn_with_a_wrong_check_digit_is_kept_with_a_note() -> None:
    assert chosen("1416913184") == (
        "1416913184",
        ["isbn '1416913184' kept, though its check digit is wrong"],
    )


@pytest.mark.parametrize("value", ["12", "B002V1OF70", "812971060", "5012345678900", "ocm00123"])
def test_what_is_no_isbn_is_noted(value: str) -> None:
    assert chosen(value) == ("", [f"isbn '{value}' left out: not an ISBN"])


@pytest.mark.parametrize("value", ['=""', "", " - ", ";"])
def test_nothing_is_nothing_and_not_worth_a_note(value: str) -> None:
    assert chosen(value) == ("", [])
