"""`bookshelf import`: a reader's real library onto a shelf that runs, or that does not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.client import Client
from support.process import ROOT, bookshelf
from support.program import Program
from support.until import until

LIBRARIES = ROOT / "test" / "fixtures" / "libraries"
COUNTS = {
    "goodreads.csv": (4, 1),
    "storygraph.csv": (4, 2),
    "openlibrary.csv": (3, 1),
    "calibre.csv": (2, 1),
    "semicolon-windows1252.csv": (3, 2),
    "shuffled.csv": (3, 2),
    "tabs-utf16.txt": (2, 1),
    "bookshelf.csv": (2, 1),
    "bookshelf.jsonl": (2, 1),
}
BOOKS = ("read", "added", "updated", "finished", "unchanged", "restored", "skipped")
COUNTED = (*BOOKS, "lists", "listed", "goals")
LISTED = ("refused", "differences", "warnings", "columns")
NAMED = ("encoding", "format", "dates", "correlation")
FIELDS = (
    dict.fromkeys(COUNTED, int) | dict.fromkeys(LISTED, list) | dict.fromkeys(NAMED, str) | {"preview": bool}
)


def bring(file: Path, *args: str | Path) -> dict[str, Any]:
    """Import a file; return its report."""
    report: dict[str, Any] = json.loads(bookshelf("import", file, "--json", *args).well)
    assert {name: type(report[name]) for name in FIELDS} == FIELDS
    assert report.keys() == {*FIELDS, "refused_file", "seconds"}
    assert report["seconds"] > 0
    taken = report["read"] - len(report["refused"])
    assert report["unchanged"] <= taken
    return report


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder of library files that may be written beside."""
    return shutil.copytree(LIBRARIES, tmp_path / "libraries")


def states(client: Client) -> tuple[int, int]:
    """Return how many books the list has, and how many of them are finished."""
    books = client.every_book()
    return len(books), sum(book["state"] == "finished" for book in books)


#: One table, one of another encoding, one of our own; the reading of all is shown in test/unit/library_files.
EVERY_TIME = ("goodreads.csv", "tabs-utf16.txt", "bookshelf.jsonl")
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in COUNTS if name not in EVERY_TIME]


@pytest.mark.parametrize("name", [*EVERY_TIME, *OTHERS])
def test_a_library_arrives_once(tmp_path: Path, library: Path, name: str) -> None:
    added, finished = COUNTS[name]
    with Program(tmp_path / "data").ready() as up:
        first = bring(library / name, "--url", up.note.url)
        assert (first["read"], first["added"], first["finished"]) == (added, added, finished)
        until(lambda: states(up.client) == (added, finished), "the list has all that was imported")
        books = up.client.every_book()
        again = bring(library / name, "--data", tmp_path / "data")
        assert (again["added"], again["finished"], again["unchanged"]) == (0, 0, added)
        assert up.client.every_book() == books
        assert up.stop().err == ""
    assert sorted(path.name for path in library.iterdir()) == sorted(
        path.name for path in LIBRARIES.iterdir()
    )


def test_every_value_of_a_book_is_imported(running: Program, library: Path) -> None:
    bring(library / "goodreads.csv", "--url", running.note.url)
    client, names = running.client, ("classics", "sea-stories")

    def in_lists() -> bool:
        lists = {each["name"]: each["id"] for each in client.get("/lists").json}
        return all(name in lists and client.books(f"?list={lists[name]}") for name in names)

    # another client's queries may be earlier than what the command has written
    until(in_lists, "the views have all of it")
    (book,) = client.books("?q=moby")
    assert book["title"] == "Moby-Dick or, the Whale"
    assert book["author"].startswith("Herman Melville")
    assert (book["isbn"], book["pages"], book["published"]) == ("9780142437247", 654, "1851")
    lists = {each["name"]: each["id"] for each in client.get("/lists").json}
    for name in names:  # shelves with a position are lists, and no tags
        assert book["id"] in {one["id"] for one in client.books(f"?list={lists[name]}")}
        assert name not in book["tags"]
    assert (book["state"], book["finished"], book["rating"]) == ("finished", "2024-03-01", 5)
    assert "a whale <3 of its own." in book["review"]
    assert "lent to Ada" in book["notes"]
    (unread,) = client.books("?q=eyre")
    assert (unread["state"], unread["author"]) == ("unread", "Charlotte Brontë")


def test_a_shelf_that_does_not_run_is_run_meanwhile(tmp_path: Path, library: Path) -> None:
    first = bring(library / "goodreads.csv", "--data", tmp_path / "data")
    assert first["added"] == 4
    assert bring(library / "goodreads.csv", "--data", tmp_path / "data")["unchanged"] == 4
    with Program(tmp_path / "data").ready() as up:
        assert len(up.client.every_book()) == 4
        assert bring(library / "goodreads.csv", "--data", tmp_path / "data")["unchanged"] == 4


def test_the_same_library_by_two_ways_at_once_is_there_once(running: Program, tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text("title,author\n" + "".join(f"Same {n},x\n" for n in range(50)) * 2)
    report = bring(file, "--url", running.note.url)
    assert (report["read"], report["added"], report["unchanged"]) == (100, 50, 50)
    until(lambda: len(running.client.every_book("?q=same&limit=1000")) == 50, "the view has them")


def test_two_books_of_one_title_are_two(running: Program, tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    file.write_text(
        "title,author,year\nPoems,Emily Dickinson,1890\nPoems,W. B. Yeats,1895\nPoems,W. B. Yeats,1899\n"
    )
    assert bring(file, "--url", running.note.url)["added"] == 3
    assert bring(file, "--url", running.note.url)["unchanged"] == 3
    until(lambda: len(running.client.books("?q=poems")) == 3, "the view has them")


def test_a_book_that_was_read_since_is_finished(running: Program, tmp_path: Path) -> None:
    file = tmp_path / "since.csv"
    file.write_text("title,author,date read\nLater,x,\n")
    assert bring(file, "--url", running.note.url)["finished"] == 0
    file.write_text("title,author,date read\nLater,x,2024-05-06\n")
    report = bring(file, "--url", running.note.url)
    assert (report["added"], report["finished"]) == (0, 1)
    until(lambda: running.client.books("?q=later")[0]["finished"] == "2024-05-06", "the view has it")


def test_refused_lines_are_listed_and_can_be_corrected(running: Program, library: Path) -> None:
    report = bring(library / "broken.csv", "--url", running.note.url)
    assert report["refused"]
    assert all(isinstance(one["line"], int) and one["reason"] for one in report["refused"])
    refused = library / "broken.refused.csv"
    lines = refused.read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 1 + len(report["refused"])
    assert lines[0].endswith(",reason")
    mended = library / "mended.csv"
    mended.write_text("title,author,year,reason\nMended,Anonymous,1300,the title is blank\n")
    assert bring(mended, "--url", running.note.url)["added"] == 1
    again = bring(library / "broken.csv", "--url", running.note.url)
    assert (again["added"], len(again["refused"])) == (0, len(report["refused"]))
    until(lambda: len(running.client.books("?q=mended")) == 1, "the view has it")


def remove_all(client: Client) -> None:
    """Remove every book."""
    for book in client.every_book():
        assert client.delete(f"/books/{book['id']}").status == 204


def test_an_export_brings_removed_books_back_and_another_program_names_them(tmp_path: Path) -> None:
    file, export = ROOT / "test/fixtures/libraries/cases/restore-after-removing.csv", tmp_path / "shelf.jsonl"
    with Program(tmp_path / "data").ready() as up:
        to_shelf = ("--url", up.note.url)
        assert bring(file, *to_shelf)["added"] == 2
        assert bookshelf("export", export, *to_shelf).well == ""
        before = up.client.every_book()
        remove_all(up.client)
        assert bring(export, *to_shelf)["restored"] == 2
        assert up.client.every_book() == before
        remove_all(up.client)
        report = bring(file, *to_shelf)
        assert (report["added"], report["skipped"], report["unchanged"]) == (0, 2, 0)
        named = [each for each in report["warnings"] if "--restore-removed" in each["reason"]]
        assert [each["line"] for each in named] == [2, 3]
        assert up.client.every_book() == []
        assert bring(file, *to_shelf, "--restore-removed")["restored"] == 2
        assert up.client.every_book() == before


def test_a_preview_changes_nothing(running: Program, tmp_path: Path) -> None:
    file = tmp_path / "preview.csv"
    file.write_text("title,author,date read\nPreviewed,x,2024-05-06\n")
    report = bring(file, "--url", running.note.url, "--dry-run")
    assert (report["added"], report["finished"], report["preview"]) == (1, 1, True)
    assert running.client.books("?q=previewed") == []


def test_the_options_of_the_file_are_obeyed(running: Program, tmp_path: Path) -> None:
    file = tmp_path / "options.csv"
    file.write_bytes("title,author,date read\nЩит,x,01/03/2024\n".encode("windows-1251"))
    options = ("--encoding", "windows-1251", "--dates", "day-first")
    report = bring(file, "--url", running.note.url, *options)
    assert (report["encoding"], report["dates"]) == ("windows-1251", "day-first")
    client = running.client

    def finished() -> list[object]:
        return [book["finished"] for book in client.every_book() if book["title"] == "Щит"]

    until(lambda: finished() == ["2024-03-01"], "the view has the reading, too")


def test_the_report_is_in_words(tmp_path: Path, library: Path) -> None:
    said = bookshelf("import", library / "broken.csv", "--data", tmp_path / "data")
    assert said.code == 0
    assert "books read in" in said.out
    assert "Refused:" in said.out
    assert "line " in said.out
    assert "broken.refused.csv" in said.out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nothing.csv", b""),
        ("words.txt", b"Dear diary,\ntoday I read a book.\n"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10),
        ("numbers.csv", b"a,b\n1,2\n"),
        ("nobook.jsonl", b'{"name": "x"}\n'),
        ("header.csv", b"title,author\n"),
    ],
)
def test_a_file_that_is_no_library(tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    ended = bookshelf("import", file, "--data", tmp_path / "data")
    if name == "header.csv" and ended.code == 0:
        assert "0 books" in ended.out
        return
    assert name in ended.complaint
    assert ended.out == ""


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    said = bookshelf("import", tmp_path / name, "--data", tmp_path / "data").complaint
    assert str(tmp_path) in said
