from pathlib import Path

import pytest
from unit.library_files.files import library, only, refusals, texts

from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf import limits
from bookshelf.shelf.library_files.contributors import read_contributors
from bookshelf.shelf.library_files.format import Cell
from bookshelf.shelf.library_files.formats import ANY_CSV


@pytest.mark.parametrize(("column", "longest"), [("title", limits.TITLE_MAX), ("author", limits.AUTHOR_MAX)])
def test_a_title_or_author_too_long_is_refused(tmp_path: Path, column: str, longest: int) -> None:
    rest = "author" if column == "title" else "title"
    fits = library(tmp_path, f"{column},{rest}\n{'é' * longest},x\n")
    assert len(only(fits).book[column]) == longest
    (refusal,) = refusals(library(tmp_path, f"{column},{rest}\n{'é' * (longest + 1)},x\n"))
    assert (
        str(refusal.reason)
        == f"the {column} has {longest + 1:,} characters, {longest:,} are allowed: shorten it"
    )


@pytest.mark.parametrize(("column", "longest"), [("notes", limits.NOTES_MAX), ("review", limits.REVIEW_MAX)])
def test_a_long_text_is_cut_with_a_note(tmp_path: Path, column: str, longest: int) -> None:
    entry = only(library(tmp_path, f"title,author,read,{column}\nEmma,J A,yes,{'é' * (longest + 1)}\n"))
    kept = entry.review if column == "review" else entry.book["notes"]
    assert kept == "é" * longest
    assert entry.notes == (
        f"{column} cut: it has {longest + 1:,} characters, {longest:,} are kept; left out: 'é'",
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("published", "long ago " * 6),
        ("language", "a" * 36),
        ("pages", "0.5"),
        ("pages", "100001"),
        ("pages", "many"),
    ],
)
def test_what_has_no_place_is_left_out_with_a_note(tmp_path: Path, column: str, value: str) -> None:
    entry = only(library(tmp_path, f"title,author,{column}\nEmma,J A,{value}\n"))
    assert column not in entry.book
    (note,) = entry.notes
    assert note.startswith(f"{column} '{value[:30]}")
    assert " left out: " in note


@pytest.mark.parametrize(
    ("value", "pages"), [("1", 1), ("100000", 100_000), ("604.0", 604), ("1,024 p.", 1024)]
)
def test_pages_are_a_number(tmp_path: Path, value: str, pages: int) -> None:
    assert only(library(tmp_path, f'title,author,pages\nEmma,J A,"{value}"\n')).book["pages"] == pages


@pytest.mark.parametrize("column", ["pages", "published"])
def test_a_zero_is_no_value_and_not_worth_a_note(tmp_path: Path, column: str) -> None:
    entry = only(library(tmp_path, f"title,author,{column}\nEmma,J A,0\n"))
    assert (set(entry.book), entry.notes) == ({"title", "author"}, ())


def test_a_long_role_is_cut_with_a_note() -> None:
    notes = list[Phrase]()
    cells = {
        "author": [Cell("Author", "J A")],
        "contributors": [Cell("Contributors", f"Anna B ({'r' * 41})")],
        "people": [Cell("s" * 42, "C D")],
    }
    people = read_contributors(cells, ANY_CSV, notes)
    assert [(person.name, person.role) for person in people] == [
        ("J A", "author"),
        ("C D", "s" * 40),
        ("Anna B", "r" * 40),
    ]
    assert list(texts(notes)) == [
        "role of C D cut: it has 42 characters, 40 are kept; left out: 'ss'",
        "role of Anna B cut: it has 41 characters, 40 are kept; left out: 'r'",
    ]


def test_a_long_name_of_a_column_is_cut_with_a_note(tmp_path: Path) -> None:
    columns = [f"{'c' * 250}{end}" for end in "xy"]
    entry = only(library(tmp_path, f"title,author,{','.join(columns)}\nEmma,J A,1,2\n"))
    ((name, value),) = entry.entry.book.extra.items()
    assert (len(name), value) == (200, "1")
    cut, also_cut, left_out = entry.notes
    assert cut.startswith("name of a column cut: it has ")
    assert cut.endswith("x'")
    assert also_cut.endswith("y'")
    assert left_out == f"{columns[1]} left out: another column has the same name: '2'"


def test_tags_are_unique_in_order_and_not_blank(tmp_path: Path) -> None:
    entry = only(library(tmp_path, 'title,author,tags\nEmma,J A,"b; a ;; b; c d "\n'))
    assert entry.book["tags"] == ["b", "a", "c d"]


def test_tags_past_the_limits_are_left_out_with_a_note(tmp_path: Path) -> None:
    tags = ["x" * 101, *map(str, range(203))]
    entry = only(library(tmp_path, f'title,author,tags\nEmma,J A,"{",".join(tags)}"\n'))
    assert entry.book["tags"] == tags[1:201]
    assert entry.notes == (
        f"tag '{'x' * 101}' left out: longer than 100 characters",
        "3 tags left out: a book has at most 200: 200, 201, 202",
    )


def test_a_series_beyond_the_limits_is_named_whole(tmp_path: Path) -> None:
    content = f'title,author,series\nEmma,J A,"Sea #2;Salt #{"1" * 21}"\n'
    entry = only(library(tmp_path, content)).entry
    assert [series.name for series in entry.book.series] == ["Sea"]
    assert texts(entry.warnings) == (f"series 'Salt' '{'1' * 21}' left out: beyond the limits",)


@pytest.mark.parametrize("column", ["pages", "copies", "lent on", "date read", "rating"])
def test_a_value_that_is_left_out_is_named_whole(tmp_path: Path, column: str) -> None:
    value = "as far as I know it was the second one of those that I had seen before the others"
    entry = only(library(tmp_path, f"title,author,{column}\nDune,x,{value}\n"))
    assert any(value in note for note in entry.notes), entry.notes
