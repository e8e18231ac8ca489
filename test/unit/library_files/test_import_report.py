"""The report of an import: one structure, as text and as JSON."""

import re
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.compare import Difference
from bookshelf.shelf.library_files.entry import Refusal
from bookshelf.shelf.library_files.report import SHOWN, ImportReport, Remark, Spool
from bookshelf.shelf.library_files.setting import ColumnUse

NAMES = [
    "read",
    "added",
    "updated",
    "finished",
    "unchanged",
    "restored",
    "skipped",
    "lists",
    "listed",
    "goals",
    "refused",
    "differences",
    "warnings",
    "columns",
    "encoding",
    "format",
    "dates",
    "correlation",
    "refused_file",
    "preview",
    "seconds",
]


@pytest.fixture
def filled() -> Iterator[ImportReport]:
    with ImportReport("import-1") as report:
        fill(report)
        yield report


def fill(report: ImportReport) -> None:
    report.read, report.added, report.updated = 4, 1, 1
    report.refused.append(Refusal(7, Phrase("the title is blank: fill it in"), ("", "x")))
    report.differences.append(Difference(3, "Dune", "pages", 412, 500, taken=False))
    report.differences.append(Difference(3, "Dune", "notes", "old", "new", taken=True))
    report.warn(2, phrase("isbn {isbn} left out: {why}", isbn="'x'", why=phrase("not an ISBN")))
    report.columns = (ColumnUse("Title", "title", 3),)
    report.encoding, report.format, report.dates = "utf-8", "CSV", "day-first"


def test_the_json_has_all_of_the_report(filled: ImportReport) -> None:
    told = msgspec.json.decode(b"".join(filled.as_json()))
    assert list(told) == NAMES
    assert told["refused"] == [{"line": 7, "reason": "the title is blank: fill it in"}]
    assert told["differences"][0] == {
        "line": 3,
        "book": "Dune",
        "field": "pages",
        "shelf": 412,
        "file": 500,
        "taken": False,
    }
    assert told["columns"] == [{"name": "Title", "field": "title", "values": 3, "examples": []}]
    assert (told["encoding"], told["correlation"], told["refused_file"]) == ("utf-8", "import-1", None)


def test_the_text_has_the_same_lists(filled: ImportReport) -> None:
    text = "\n".join(filled.as_text())
    assert re.match(
        r"4 books read in [\d.]+ s: 1 added, 1 updated, 0 finished, 0 there already, 1 refused\.\n", text
    )
    assert "Format: CSV; encoding: utf-8; dates: day-first." in text
    assert "line 7: the title is blank" in text
    assert "line 3, Dune, pages: 412 on the shelf, 500 in the file: kept" in text
    assert "line 3, Dune, notes: old became new" in text
    assert "line 2: isbn 'x' left out" in text
    assert "Title: 3 values, title" in text
    assert text.endswith("Its changes are taken back by: bookshelf undo --correlation import-1")


def test_the_text_shows_the_first_of_many_and_the_json_all() -> None:
    with ImportReport(preview=True) as report:
        for line in range(1, SHOWN + 6):
            report.warn(line, Phrase("long"))
        assert "  and 5 more (--json lists them all)" in report.as_text()
        assert "Nothing was changed: this was a preview." in report.as_text()
        assert len(msgspec.json.decode(b"".join(report.as_json()))["warnings"]) == SHOWN + 5


def test_a_long_list_is_kept_in_a_file() -> None:
    with closing(Spool(Remark)) as spool:
        for line in range(50_000):
            spool.append(Remark(line, Phrase("a remark that takes some room")))
        assert [len(spool), sum(1 for _ in spool), [each.line for each in spool][-1]] == [
            50_000,
            50_000,
            49_999,
        ]
        spool.append(Remark(1, phrase("{name}", name="last")))
        assert [each.reason for each in spool][-1] == phrase("{name}", name="last")
