"""An import that is interrupted, or whose shelf is, goes on when it is started again: nothing twice."""

import json
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.process import Ended, Process, bookshelf
from support.program import Program
from support.until import until

ROWS = 2000
#: More records than the first 500 lines make: their answers have arrived.
ENOUGH = 800


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A library of a few thousand books, of which half are finished."""
    rows = (f"Book {n},Author {n % 7},{'2024-01-02' if n % 2 else ''}\n" for n in range(ROWS))
    there = tmp_path / "library.csv"
    there.write_text("title,author,date read\n" + "".join(rows))
    return there


def records(data: Path) -> int:
    """How many records the log of a shelf has now, read beside its writer."""
    if not (data / "log.sqlite").exists():
        return 0
    with closing(sqlite3.connect(f"file:{data / 'log.sqlite'}?mode=ro", uri=True)) as log:
        try:
            (count,) = log.execute("SELECT count(*) FROM record").fetchone()
        except sqlite3.OperationalError:  # it is being made
            return 0
    return int(count)


def under_way(data: Path, importing: Process) -> None:
    """Wait until an import has come some way."""
    until(lambda: records(data) > ENOUGH or not importing.alive, "the import is under way")
    assert records(data) > ENOUGH


def finished(shelf: Program) -> int:
    """How many books of the list are finished."""
    return int(shelf.client.get("/books?state=finished&limit=1").headers["bookshelf-count"])


def check_whole(data: Path, file: Path) -> None:
    """Import again; then every book is there, once, and as it was in the file."""
    report: dict[str, Any] = json.loads(bookshelf("import", file, "--data", data, "--json").well)
    assert report["read"] == ROWS
    assert report["refused"] == []
    assert 0 < report["added"] < ROWS
    with Program(data).ready() as up:
        books = up.client.every_book()
    check_books(books)


def check_books(books: list[dict[str, Any]]) -> None:
    """Every book of the file is there, once, finished or not."""
    counts = Counter(book["title"] for book in books)
    assert counts == Counter(f"Book {n}" for n in range(ROWS))
    assert all((book["state"] == "finished") == bool(int(book["title"][5:]) % 2) for book in books)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_an_import_into_a_shelf_of_its_own(tmp_path: Path, file: Path, number: int) -> None:
    with Process("import", file, "--data", tmp_path / "data", "--json") as importing:
        under_way(tmp_path / "data", importing)
        check_end(importing.stop(number), number)
    check_whole(tmp_path / "data", file)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_an_import_into_a_running_shelf(tmp_path: Path, file: Path, number: int) -> None:
    with Program(tmp_path / "data").ready() as up:
        with Process("import", file, "--url", up.note.url, "--json") as importing:
            under_way(tmp_path / "data", importing)
            check_end(importing.stop(number), number)
        assert up.stop().err == ""
    check_whole(tmp_path / "data", file)


def check_end(ended: Ended, number: int) -> None:
    """An import that was interrupted by a signal reports that it stopped, and how to continue."""
    if number == signal.SIGKILL:
        return
    assert ended.code == 130
    named, said = ended.err.splitlines()
    assert named.startswith("Importing to the shelf at ")
    assert said == "bookshelf: stopped; run the same command again to go on"
    assert 0 < json.loads(ended.out)["added"] < ROWS


def test_a_shelf_that_is_killed_and_comes_back_is_waited_for(tmp_path: Path, file: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        importing = Process("import", file, "--url", up.note.url, "--json")
        with importing:
            under_way(tmp_path / "data", importing)
            place = up.note.url.rpartition(":")[2]
            up.kill()
            with Program(tmp_path / "data", "--port", place).ready() as again:
                report = json.loads(importing.ended().well)
                assert (report["read"], report["refused"]) == (ROWS, [])
                until(lambda: finished(again) == ROWS // 2, "the list has all that was imported")
                check_books(again.client.every_book())


@pytest.mark.slow
def test_a_shelf_that_is_killed_and_stays_away_is_reported(tmp_path: Path, file: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        url = up.note.url
        importing = Process("import", file, "--url", url, "--json")
        with importing:
            under_way(tmp_path / "data", importing)
            up.kill()
            ended = importing.ended()
    named, _, complaint = ended.err.partition("\n")
    assert named == f"Importing to the shelf at {url}."
    complaint = ended._replace(err=complaint).complaint
    assert url in complaint
    assert "run the same command again" in complaint
    assert 0 < json.loads(ended.out)["added"] < ROWS
    check_whole(tmp_path / "data", file)
