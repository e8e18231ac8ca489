"""`bookshelf export`: a file that an import reads back to the same shelf."""

import csv
import json
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.client import Client
from support.process import bookshelf
from support.program import Program

AWKWARD: list[dict[str, Any]] = [
    {"title": "Plain", "author": "x"},
    {"title": "  spaces  inside ", "author": " x ", "published": " 1965 "},
    {"title": "=1+1", "author": "@sum", "notes": "-- sums\n\tthat run", "tags": ["=tag", "a, b", 'quo"te']},
    {"title": "'Tis", "author": "''x", "published": "'=1"},
    {"title": "Straße 本 📚", "author": "e\u0301", "language": "de"},
    {"title": 'He said "no", twice', "author": "a;b\u00a0c", "isbn": "0-06-012563-2", "pages": 1},
    {"title": "true", "author": "null", "published": "0"},
    {"title": "Twin", "author": "x", "published": "1900"},
    {"title": "Twin", "author": "x", "published": "1901"},
]
ADDED = "2024-03-01T12:00:00+00:00"
ENDS: list[dict[str, Any]] = [
    {"finished": "2024-02-29", "rating": 5, "review": "=good\n\nline, two\n"},
    {"finished": "unknown"},
    {"finished": "1999-12-31", "review": "  kept  "},
]


def webp() -> bytes:
    content = BytesIO()
    Image.new("RGB", (20, 30), "#c08a3e").save(content, "WEBP")
    return content.getvalue()


COVER = webp()


def digest_of(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()


def served(place: Program, digest: str) -> bytes:
    """Return a cover as the site serves it; nothing if it has none."""
    reply = Client(place.note.url).ask("GET", f"/covers/{digest}.webp")
    return reply.content if reply.status == 200 else b""


@pytest.fixture(scope="module")
def shelf(running: Program) -> Client:
    """A shelf of books that are hard to write down, of which some are finished."""
    client = running.client
    for number, body in enumerate(AWKWARD):
        reply = client.post("/books", body)
        assert reply.status == 201, reply
        if number % 3 == 2:
            end = ENDS[number // 3]
            assert client.post(f"/books/{reply.json['id']}/finished", end).status == 204
    assert Client(running.note.url).ask("PUT", f"/covers/{digest_of(COVER)}.webp", COVER).status == 204
    about = {"digest": digest_of(COVER), "width": 20, "height": 30, "colour": "#c08a3e"}
    assert client.send("PUT", f"/books/{reply.json['id']}/cover", about).status == 204
    assert client.post("/lists", {"name": "Empty", "id": "empty"}).status == 201
    assert client.send("PUT", f"/lists/up-next/books/{reply.json['id']}", {"added": ADDED}).status == 204
    assert client.send("PUT", "/goals/2026", {"books": 24}).status == 204
    return client


def shown(client: Client) -> list[dict[str, Any]]:
    """Return all books, with their ids and the times when they were added."""
    return sorted(client.every_book(), key=lambda book: str(book["id"]))


def lists_and_goals(client: Client) -> tuple[Any, ...]:
    """Return what the shelf has beside books."""
    paths = ("/lists", "/lists/empty", "/lists/up-next?all=true", "/stats")
    return tuple(client.get(path).json for path in paths)


#: Other names of the same forms.
ALIKE = [pytest.param(name, marks=pytest.mark.slow) for name in ("shelf.JSON", "shelf.ndjson")]


@pytest.mark.parametrize("name", ["shelf.csv", "shelf.jsonl", *ALIKE, "shelf.zip"])
def test_an_export_makes_the_same_shelf_elsewhere(
    running: Program, shelf: Client, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    said = bookshelf("export", file, "--url", running.note.url)
    assert said.well == ""
    assert f"{len(AWKWARD)} books" in said.err
    report = json.loads(bookshelf("import", file, "--json", "--data", tmp_path / "other").well)
    assert (report["added"], report["refused"], report["warnings"]) == (len(AWKWARD), [], [])
    with Program(tmp_path / "other").ready() as other:
        left_out = {"cover"} if name == "shelf.csv" else set[str]()
        assert shown(other.client) == [
            {field: value for field, value in book.items() if field not in left_out} for book in shown(shelf)
        ]
        if name != "shelf.csv":
            assert lists_and_goals(other.client) == lists_and_goals(shelf)
        covers = [served(place, digest_of(COVER)) for place in (running, other)]
        assert covers == [COVER, COVER if name == "shelf.zip" else b""]


@pytest.mark.parametrize("name", ["shelf.csv", "shelf.jsonl"])
def test_an_export_adds_nothing_where_it_came_from(
    running: Program, shelf: Client, tmp_path: Path, name: str
) -> None:
    before = shelf.every_book()
    bookshelf("export", tmp_path / name, "--url", running.note.url)
    report = json.loads(bookshelf("import", tmp_path / name, "--json", "--url", running.note.url).well)
    assert (report["added"], report["finished"], report["unchanged"]) == (0, 0, len(AWKWARD))
    assert shelf.every_book() == before


def test_an_export_goes_on_after_the_first_thousand(tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text("title,author\n" + "".join(f"Book {n},x\n" for n in range(1500)))
    assert bookshelf("import", file, "--data", tmp_path / "data").well
    lines = bookshelf("export", "--format", "jsonl", "--data", tmp_path / "data").well.splitlines()
    assert len({json.loads(line)["title"] for line in lines}) == len(lines) == 1500


def test_without_a_file_it_goes_to_the_terminal(running: Program, shelf: Client) -> None:
    ended = bookshelf("export", "--url", running.note.url)
    rows = list(csv.DictReader(ended.well.splitlines(keepends=True)))
    assert len(rows) == len(shelf.every_book())
    count = len(rows)
    written, left_out = ended.err.splitlines()
    assert written == f"{count} books of the shelf at {running.note.url} written to standard output."
    assert left_out.startswith("CSV leaves out ")


def test_an_empty_shelf_is_a_file_with_a_header(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        assert up.stop().well
    assert bookshelf("export", "--data", tmp_path / "data").well.startswith("title,author,")


def test_an_ending_that_is_not_known_is_refused_with_the_list(running: Program, tmp_path: Path) -> None:
    complaint = bookshelf("export", tmp_path / "shelf.xlsx", "--url", running.note.url).complaint
    assert ".csv, .jsonl, .ndjson, .json" in complaint
    assert list(tmp_path.iterdir()) == []
    assert (
        bookshelf("export", tmp_path / "shelf.xlsx", "--format", "csv", "--url", running.note.url).well == ""
    )
    assert (tmp_path / "shelf.xlsx").read_bytes().startswith(b"\xef\xbb\xbftitle,")


def test_what_csv_leaves_out_is_named(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        book = up.client.add("Quoted")
        reply = up.client.post(f"/books/{book['id']}/passages", {"quote": "words"})
        assert reply.status == 201, reply
        ended = bookshelf("export", "--url", up.note.url, "--format", "csv")
        assert "1 of them has more than CSV can hold" in ended.err
        assert "passages" in ended.err
        assert "goals" in ended.err


def test_a_place_that_cannot_be_written(running: Program, tmp_path: Path) -> None:
    said = bookshelf("export", tmp_path / "no" / "shelf.csv", "--url", running.note.url).complaint
    assert str(tmp_path / "no") in said


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(running: Program, tmp_path: Path) -> None:
    file = tmp_path / "shelf.csv"
    file.write_text("mine")
    assert bookshelf("export", file, "--url", running.note.url).well == ""
    assert file.read_text() != "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["shelf.csv"]
