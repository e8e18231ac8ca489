"""A damaged log is reported and unchanged; damaged states and rows are rebuilt from the log."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.logfile import append, event
from support.process import bookshelf
from support.program import Program
from support.until import until

from bookshelf.services import WITHOUT_ACCOUNTS


def up(data: Path) -> str:
    """Try to run a shelf; return its error line."""
    return bookshelf("up", "--data", data, "--port", "0", "--service-ports", "auto").complaint


def answers(data: Path, reported: str = "") -> dict[str, Any]:
    """Run the shelf and return what it answers; also that commands find what they should.

    `reported`: a text that standard error must contain, if any.
    """
    with Program(data).ready() as running:
        client = running.client
        books = client.every_book()
        found = {
            "books": books,
            "last": client.get("/books/last/read").json,
            "found": client.books("?q=book%201"),
            "histories": [client.get(f"/books/{book['id']}/history").json for book in books[:5]],
            "again": client.post("/books", {"title": "Book 0", "author": "x"}, Idempotency_Key="k0").json,
        }
        (done,) = client.books("?q=book%2038")
        assert client.post(f"/books/{done['id']}/finished").status == 204
        assert client.post("/books/0/finished").status == 404
        err = running.stop().err
        assert "Traceback" not in err
        assert err == "" or (reported and reported in err), err
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A shelf of forty books, of which the even ones are finished, and what it answers."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    with Program(folder).ready() as running:
        client = running.client
        for number in range(40):
            book = {"title": f"Book {number}", "author": "x", "notes": "n" * 2000}
            added = client.post("/books", book if number else {**book, "notes": None}).json
            if number == 0:
                client.delete(f"/books/{added['id']}")
                client.post("/books", {"title": "Book 0", "author": "x"}, Idempotency_Key="k0")
            elif number % 2 == 0:
                client.post(f"/books/{added['id']}/finished", {"rating": 4})
        assert running.stop().well
    return folder, answers(folder)


@pytest.fixture
def data(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of that shelf."""
    return Path(shutil.copytree(whole[0], tmp_path / "data"))


@pytest.fixture
def before(whole: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """What the shelf answers while nothing is damaged."""
    return whole[1]


def test_a_log_that_is_not_a_database_is_reported_and_unchanged(data: Path) -> None:
    log = data / "log.sqlite"
    log.write_bytes(b"not a log\n" * 1000)
    error = up(data)
    assert "damaged" in error
    assert str(log) in error
    assert log.read_bytes() == b"not a log\n" * 1000


@pytest.mark.parametrize(
    "place", [0.5, *(pytest.param(part, marks=pytest.mark.slow) for part in (0.25, 0.75))]
)
def test_a_log_with_flipped_bytes_is_reported_and_unchanged(data: Path, place: float) -> None:
    log = data / "log.sqlite"
    content = bytearray(log.read_bytes())
    page = int(len(content) / 4096 * place) * 4096
    for at in range(page, page + 16):
        content[at] ^= 0xFF
    log.write_bytes(content)
    assert "damaged" in up(data)
    assert log.read_bytes() == content


def test_a_truncated_log_is_reported_and_unchanged(data: Path) -> None:
    log = data / "log.sqlite"
    content = log.read_bytes()[: 4096 * 3 + 1000]
    log.write_bytes(content)
    assert "damaged" in up(data)
    assert log.read_bytes() == content


#: How many files each folder has: one for each view or aggregate.
FILES = {
    "views": sum(len(service.views) for service in WITHOUT_ACCOUNTS),
    "state": sum(len(service.aggregates) for service in WITHOUT_ACCOUNTS),
}


#: Each way once; the same in the other place in `make test-slow`.
HARMS = [
    ("views", "garbage"),
    ("state", "flipped"),
    ("views", "empty"),
    ("state", "gone"),
    ("views", "other schema"),
]
OTHER = {"views": "state", "state": "views"}


@pytest.mark.parametrize(
    ("place", "harm"),
    [*HARMS, *(pytest.param(OTHER[place], harm, marks=pytest.mark.slow) for place, harm in HARMS)],
)
def test_damaged_states_and_rows_are_rebuilt(
    data: Path, before: dict[str, Any], place: str, harm: str
) -> None:
    files = [path for path in (data / place).rglob("*.sqlite") if path.is_file()]
    assert len(files) == FILES[place]
    for path in files:
        hurt(path, harm)
    # what is damaged inside is found when it is looked up, if it is
    assert answers(data, "from the log" if harm == "flipped" else "") == before


def hurt(path: Path, harm: str) -> None:
    """Damage one file."""
    content = path.read_bytes()
    match harm:
        case "garbage":
            path.write_bytes(b"not a database\n" * 1000)
        case "flipped":
            half = len(content) // 8192 * 4096
            path.write_bytes(content[:half] + bytes(4096) + content[half + 4096 :])
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "other schema":
            path.unlink()
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE bookshelf_about (x)")
                other.execute("CREATE TABLE about (x)")
            other.close()


def test_states_and_rows_of_a_restored_log_are_rebuilt(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy.sqlite"
    with Program(data).ready() as running:
        running.client.add("The first")
        assert running.stop().well
    shutil.copy(data / "log.sqlite", copy)
    with Program(data).ready() as running:
        lost = running.client.add("The second")["id"]
        running.client.post(f"/books/{lost}/finished")
        assert running.stop().well
    shutil.copy(copy, data / "log.sqlite")
    with Program(data).ready() as running:
        client = running.client
        until(lambda: [book["title"] for book in client.books()] == ["The first"], "the rows are made anew")
        assert client.patch(f"/books/{lost}", {"pages": 3}).status == 404
        assert client.post("/books", {"title": "The third", "author": "x"}).status == 201
        assert [book["title"] for book in client.books("?sort=added")] == ["The first", "The third"]


def test_states_and_rows_of_a_restored_and_extended_log_are_rebuilt(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy.sqlite"
    ids = [f"00000000-0000-5000-8000-00000000000{number}" for number in range(4)]
    with Program(data).ready() as running:
        first = running.client.add("The first")["id"]
        assert running.stop().well
    shutil.copy(data / "log.sqlite", copy)
    with Program(data).ready() as running:
        lost = running.client.add("Lost")["id"]
        running.client.post(f"/books/{first}/finished")
        assert running.stop().well
    shutil.copy(copy, data / "log.sqlite")
    for key in ids:
        book = {"title": f"Other {key[-1]}", "author": "x", "added": "2024-01-01T00:00:00Z"}
        append(data, key, event("shelf.book-added.v1", key, book))
    with Program(data).ready() as running:
        client = running.client
        others = [f"Other {number}" for number in range(4)]
        assert sorted(book["title"] for book in client.books()) == [*others, "The first"]
        assert client.patch(f"/books/{lost}", {"pages": 3}).status == 404
        assert client.get(f"/books/{first}").json["finished"] is None
        assert client.get("/books/last/read").json == []
        assert client.patch(f"/books/{ids[3]}", {"pages": 3}).status == 200
