"""After any history, the views equal a model of a few lines of plain Python."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.shelf import DUNE, Shelf

#: A book that was asked for never and does not exist.
NO_ONE = "no-such-book"

texts = st.text(
    st.characters(min_codepoint=33, max_codepoint=1200, exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=12,
).filter(lambda text: not text.isspace())
tags = st.lists(texts, max_size=3)
news = st.fixed_dictionaries(
    {"title": texts, "author": texts}, optional={"tags": tags, "pages": st.integers(1, 900), "notes": texts}
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "title": texts,
        "tags": tags | st.none(),
        "pages": st.integers(1, 900) | st.none(),
        "notes": st.none(),
    },
)
days = st.dates().filter(lambda day: day.year < 2026).map(str) | st.just("unknown")
readings = st.fixed_dictionaries(
    {}, optional={"finished": days, "rating": st.integers(1, 5), "review": texts}
)
which = st.integers(0, 4)
steps = st.one_of(
    st.tuples(st.just("add"), which, news),
    st.tuples(st.just("change"), which, changes),
    st.tuples(st.just("finish"), which, readings),
    st.tuples(st.just("remove"), which, st.none()),
    st.tuples(st.just("rebuild"), which, st.none()),
)


class Plain:
    """The shelf as a dictionary."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, Any]] = {}
        self.read: list[str] = []

    def add(self, book_id: str, fields: dict[str, Any]) -> None:
        fields = {**fields, "tags": list(dict.fromkeys(fields.get("tags", [])))}
        self.books[book_id] = {"state": "unread", "finished": None, "rating": None, "review": None, **fields}

    def change(self, book_id: str, fields: dict[str, Any]) -> bool:
        if book_id not in self.books:
            return False
        if "tags" in fields:
            fields = {**fields, "tags": list(dict.fromkeys(fields["tags"] or []))}
        self.books[book_id].update(fields)
        return True

    def finish(self, book_id: str, fields: dict[str, Any]) -> bool:
        book = self.books.get(book_id)
        if book is not None and book["state"] == "unread":
            day = fields.get("finished", "2026-03-01")
            book.update({**fields, "state": "finished", "finished": None if day == "unknown" else day})
        return book is not None

    def remove(self, book_id: str) -> bool:
        return self.books.pop(book_id, None) is not None


def plainly(book: dict[str, Any]) -> dict[str, Any]:
    """A book as answered, without its id, its time, and what has no value."""
    return {
        name: value for name, value in book.items() if name not in {"id", "added"} and value not in (None, [])
    }


async def step(shelf: Shelf, plain: Plain, ids: list[str], what: tuple[str, int, Any]) -> None:
    kind, place, fields = what
    book_id = ids[place] if place < len(ids) else NO_ONE
    if kind == "add":
        book = await shelf.send("POST", "/books", fields)
        assert book.status == 201
        ids.append(book.json["id"])
        plain.add(ids[-1], fields)
    elif kind == "change":
        changed = await shelf.send("PATCH", f"/books/{book_id}", fields)
        assert changed.status == (200 if plain.change(book_id, fields) else 404)
    elif kind == "finish":
        finished = await shelf.send("POST", f"/books/{book_id}/finished", fields)
        assert finished.status == (204 if plain.finish(book_id, fields) else 404)
    elif kind == "remove":
        assert (await shelf.send("DELETE", f"/books/{book_id}")).status == (
            204 if plain.remove(book_id) else 404
        )
    else:
        view = shelf.hosts["booklist"].views["booklist"]
        await view.rebuild(lambda _done, _total: None)


async def agree(shelf: Shelf, plain: Plain) -> None:
    await shelf.caught_up()
    listed = {book["id"]: book for book in (await shelf.send("GET", "/books")).json}
    assert {book_id: plainly(book) for book_id, book in listed.items()} == {
        book_id: plainly(book) for book_id, book in plain.books.items()
    }
    for book_id, book in listed.items():
        assert (await shelf.send("GET", f"/books/{book_id}")).json == book
    read = (await shelf.send("GET", "/books/last/read?limit=100")).json
    assert {book["id"]: plainly(book) for book in read} == {
        book_id: plainly(book) for book_id, book in plain.books.items() if book["state"] == "finished"
    }
    finished = [book["finished"] or "" for book in read]
    assert finished == sorted(finished, reverse=True)


async def lived(history: list[tuple[str, int, Any]]) -> None:
    async with Shelf() as shelf:
        plain, ids = Plain(), list[str]()
        for what in history:
            await step(shelf, plain, ids, what)
        await agree(shelf, plain)


@settings(max_examples=15, deadline=None)
@given(st.lists(steps, max_size=20))
def test_the_views_equal_a_model_in_plain_python(history: list[tuple[str, int, Any]]) -> None:
    asyncio.run(lived(history))


def test_the_model_is_not_empty() -> None:
    asyncio.run(lived([("add", 0, {**DUNE, "tags": ["a", "a"]}), ("finish", 0, {}), ("rebuild", 0, None)]))
