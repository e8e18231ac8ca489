"""`bookshelf views rebuild`: the rows are made anew beside the live ones, and no query fails meanwhile."""

import json
import threading
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest
from support.client import Client, Reply
from support.process import bookshelf
from support.program import Program
from support.until import until

PATHS = ("/books?limit=20&sort=-added", "/books/last/read", "/books?q=book", "/readings?limit=20")


class Traffic:
    """Writers and readers beside the work, until it is done; `bad` are the answers that were not well."""

    def __init__(self, up: Program, book_id: str) -> None:
        self.bad: list[Reply] = []
        self.asked = 0
        self._done = threading.Event()
        paths = (*PATHS, f"/books/{book_id}", f"/books/{book_id}/history")
        self._threads = [threading.Thread(target=self._read, args=(up.client, path)) for path in paths]
        self._threads += [threading.Thread(target=self._write, args=(up.client,)) for _ in range(2)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        until(lambda: self.asked > 20, "queries are asked")
        return self

    def _read(self, client: Client, path: str) -> None:
        while not self._done.is_set():
            reply = client.ask("GET", path)
            self.asked += 1
            if reply.status != 200:
                self.bad.append(reply)

    def _write(self, client: Client) -> None:
        for number in count():
            if self._done.is_set():
                return
            wrote = client.post("/books", {"title": f"Book {number}", "author": "x"})
            if wrote.status != 201 or client.get(f"/books/{wrote.json['id']}").status != 200:
                self.bad.append(wrote)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()


def everything(client: Client) -> list[Any]:
    """What the views answer."""
    books = client.every_book()
    return [
        books,
        client.get("/books/last/read?limit=100").json,
        client.every_book("?q=book&limit=1000"),
        client.every_item("/readings"),
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A shelf of two thousand books, every third of which is finished."""
    rows = (f"Book {n},x,{'2024-01-02' if n % 3 == 0 else ''}\n" for n in range(2000))
    file = tmp_path / "library.csv"
    file.write_text("title,author,date read\n" + "".join(rows))
    assert bookshelf("import", file, "--data", tmp_path / "data").well
    return tmp_path / "data"


def test_no_query_fails_while_a_view_is_rebuilt_under_load(data: Path) -> None:
    with Program(data).ready() as up:
        client = up.client
        first = client.books("?limit=1")[0]["id"]
        with Traffic(up, first) as traffic:
            for view in ("booklist", "lastread", "readings"):
                asked = traffic.asked
                assert f"{view} is rebuilt" in bookshelf("views", "rebuild", view, "--data", data).well
                assert traffic.asked > asked
        assert traffic.bad == []
        client.add("The last one")
        before = everything(client)
        for view in ("booklist", "lastread", "readings"):
            assert bookshelf("views", "rebuild", view, "--data", data).well
        assert everything(client) == before
        assert up.stop().well
    for view in ("booklist", "lastread", "readings"):
        assert len(list((data / "views" / view).glob("*.sqlite"))) == 1


def test_a_rebuild_of_a_stopped_shelf_is_refused(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        client = up.client
        client.add("Book 1")
        before = everything(client)
        assert up.stop().well
    assert bookshelf("views", "rebuild", "booklist", "--data", tmp_path).well
    with Program(tmp_path).ready() as up:
        assert everything(up.client) == before


def test_a_killed_rebuild_leaves_the_former_or_the_new_rows(data: Path) -> None:
    before = json.loads(json.dumps(answers(data)))
    with Program(data).ready() as up:
        rebuilding = threading.Thread(target=bookshelf, args=("views", "rebuild", "booklist", "--data", data))
        rebuilding.start()
        until(lambda: len(list((data / "views" / "booklist").glob("*.sqlite"))) > 1, "a second set is made")
        up.kill()
        rebuilding.join()
    assert answers(data) == before
    assert len(list((data / "views" / "booklist").glob("*.sqlite"))) == 1


def answers(data: Path) -> list[Any]:
    with Program(data).ready() as up:
        return everything(up.client)


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_rebuild_of_an_unknown_view_is_refused(tmp_path: Path, state: str) -> None:
    with Program(tmp_path).ready() as up:
        if state == "stopped":
            up.stop()
        said = bookshelf("views", "rebuild", "covers", "--data", tmp_path).complaint
    assert "there is no view covers" in said
    assert "there are booklist, carts, " in said
