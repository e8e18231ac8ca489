from datetime import date
from pathlib import Path

import pytest
from unit.library_files.files import entries, fixture, library, only, refusals

from bookshelf.shelf.library_files import NotALibrary

GOOD = '{"title": "Emma", "author": "Jane Austen"}\n'


def test_json_lines_are_recognised_and_arrive_whole() -> None:
    found = fixture("bookshelf.jsonl")
    assert (found.form, found.rows, found.header) == ("Bookshelf JSON lines", 2, ())
    persuasion = entries(found)["Persuasion"]
    assert persuasion.book == {
        "title": "Persuasion",
        "author": "Jane Austen",
        "published": "1817",
        "isbn": "0141439688",
        "pages": 249,
        "language": "en",
        "tags": ["classics", "sea, navy"],
        "notes": "a gift",
    }
    assert (persuasion.finished_on, persuasion.rating) == (date(2024, 3, 1), 5)
    assert persuasion.review == "Half agony,\nhalf hope."
    assert not entries(found)["Sanditon"].finished


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"title": "Kim", ', "no JSON object on one line: correct the line"),
        ('["Kim"]', "no JSON object on one line: correct the line"),
        ("[" * 100_000, "no JSON object on one line: correct the line"),
        ('{"title": "Kim", "author": "\\ud800"}', "no JSON object on one line: correct the line"),
        ('{"author": "Kim"}', "the title is blank: fill it in"),
        ('{"title": ["Kim", 1], "author": "x"}', "title is neither text nor a number: correct it"),
        ('{"title": "Kim", "author": {}}', "author is neither text nor a number: correct it"),
        (" " * 5 + '{"title": "' + "x" * 1_000_000 + '"}', "the line is too long: shorten it"),
    ],
    ids=lambda text: text[:20],
)
def test_a_bad_line_is_refused_and_the_next_is_read(tmp_path: Path, line: str, reason: str) -> None:
    found = library(tmp_path, f"{GOOD}\n{line}\n{GOOD}")
    assert [(refusal.line, str(refusal.reason)) for refusal in refusals(found)] == [(3, reason)]
    assert len(list(found)) == found.rows == 3


def test_fields_that_are_not_known_are_passed_over(tmp_path: Path) -> None:
    assert only(library(tmp_path, '{"colour": {"a": []}, "title": "Emma", "author": "J A"}')).notes == ()


@pytest.mark.parametrize("content", ['{\n"title": "Emma"\n}', '{"name": "x"}'])
def test_json_of_another_shape_is_no_library(tmp_path: Path, content: str) -> None:
    with pytest.raises(NotALibrary, match="needed is one object on each line"):
        library(tmp_path, content)
