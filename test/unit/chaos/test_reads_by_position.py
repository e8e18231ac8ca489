"""A writer that reads back what it wrote notes what has no answer, and what is older than it should be."""

import json
from random import Random

import pytest
from support.client import Client, Reply
from support.load import Sent, Writer

BOOK = {"id": "b", "title": "mark", "notes": None, "review": None}
ADDED = Sent("mark", "POST", "/books", None, "key", [201], "bookshelf/0@1")
REMOVED = Sent("removed b", "DELETE", "/books/b", None, "key", [204], "bookshelf/0@2")


class Says(Client):
    """Answers every query the same; nothing at all, if there is no status."""

    def __init__(self, status: int, book: object) -> None:
        super().__init__("http://127.0.0.1")
        self._reply = Reply(status, {}, json.dumps(book).encode())

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        assert (method, path, body, set(headers)) == ("GET", "/books/b", None, {"Bookshelf_After"})
        if not self._reply.status:
            raise ConnectionResetError
        return self._reply


def looked(one: Sent, status: int, book: object = None) -> tuple[int, int]:
    """Look once; return how often there was no answer, and how often an older one."""
    writer = Writer("w", Says(status, book), Random(1))  # noqa: S311 (no secrets)
    writer._look(one, "b")  # noqa: SLF001 (what a writer does after some of its commands)
    return writer.unread, len(writer.stale)


@pytest.mark.parametrize(("one", "status", "book"), [(ADDED, 200, BOOK), (REMOVED, 404, None)])
def test_a_written_book_is_shown(one: Sent, status: int, book: object) -> None:
    assert looked(one, status, book) == (0, 0)


@pytest.mark.parametrize("status", [0, 503, 504])
def test_a_missing_response_is_recorded(status: int) -> None:
    assert looked(ADDED, status) == (1, 0)


@pytest.mark.parametrize(
    ("one", "status", "book"),
    [(ADDED, 404, None), (ADDED, 200, {**BOOK, "title": "older"}), (REMOVED, 200, BOOK)],
)
def test_an_older_response_is_recorded(one: Sent, status: int, book: object) -> None:
    assert looked(one, status, book) == (0, 1)
