"""A view that cannot write: it answers from its rows, reports the fault, and continues once it can."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from support.process import bookshelf
from support.program import Program
from support.until import until

CURSE = """
CREATE TRIGGER curse BEFORE INSERT ON booklist_book WHEN NEW.title = 'Cursed'
BEGIN SELECT RAISE(ABORT, 'cursed'); END
"""


def rows(data: Path) -> Path:
    """The file of the live rows of the list."""
    folder = data / "views" / "booklist"
    return folder / (folder / "live").read_text().strip()


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Lock a database against other writers."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_query_ahead_of_its_view_gets_retry_after(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        client = up.client
        client.add("Kim")
        assert len(client.books()) == 1
        with locked(rows(tmp_path)):
            wrote = client.post("/books", {"title": "Emma", "author": "x"})
            assert wrote.status == 201
            seen = wrote.headers["bookshelf-position"]
            behind = client.ask("GET", "/books", Bookshelf_After=seen)
            assert (behind.status, behind.problem) == (503, "behind")
            assert int(behind.headers["retry-after"]) >= 1
            assert [book["title"] for book in client.ask("GET", "/books").json] == ["Kim"]
        until(lambda: client.ask("GET", "/books", Bookshelf_After=seen).status == 200, "it has caught up")
        assert [book["title"] for book in client.books("?sort=added")] == ["Kim", "Emma"]


def test_a_dead_letter_is_applied_after_its_cause_is_fixed(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        client = up.client
        client.add("Kim")
        with closing(sqlite3.connect(rows(tmp_path))) as db:
            db.execute(CURSE)
            cursed = client.post("/books", {"title": "Cursed", "author": "x"}).json["id"]
            assert client.patch(f"/books/{cursed}", {"pages": 7}).status == 200
            client.add("Emma")
            assert [book["title"] for book in client.books("?sort=added")] == ["Kim", "Emma"]
            db.execute("DROP TRIGGER curse")
        dead_letters = json.loads(bookshelf("dlq", "list", "--json", "--data", tmp_path).well)
        assert [(dead_letter["reason"], dead_letter["behind"]) for dead_letter in dead_letters] == [
            ("IntegrityError: cursed", False),
            ("an earlier record of this key is a dead letter", True),
        ]
        assert bookshelf("dlq", "retry", "--data", tmp_path).well == "2 applied, 0 left.\n"
        assert client.get(f"/books/{cursed}").json["pages"] == 7
        assert len(client.books()) == 3
