"""What the shelf answers when all is well."""

from typing import Any

import pytest
from support.shelf import DUNE, Shelf

from bookshelf.runtime.api.header_fields import AFTER


async def test_a_new_book_is_returned_with_its_location(shelf: Shelf) -> None:
    added = await shelf.send("POST", "/books", {**DUNE, "published": "1965", "tags": ["sf", "sf"]})
    assert added.status == 201
    book = added.json
    assert added.headers["Location"] == f"/books/{book['id']}"
    assert book["added"] == "2026-03-01T12:00:00Z"
    assert (book["title"], book["author"], book["published"]) == ("Dune", "Frank Herbert", "1965")
    assert (book["tags"], book["state"]) == (["sf"], "unread")


async def test_clients_read_their_own_writes(shelf: Shelf) -> None:
    book = await shelf.add()
    place = book.pop("position")
    for target in ("/books", f"/books/{book['id']}"):
        found = await shelf.send("GET", target, **{AFTER: f"elsewhere/0@9, {place}"})
        assert found.status == 200
        assert book in (found.json if isinstance(found.json, list) else [found.json])
    finished = await shelf.send(
        "POST", f"/books/{book['id']}/finished", {"finished": "2024-03-01", "rating": 5}
    )
    assert (finished.status, finished.body) == (204, b"")
    read = await shelf.send("GET", "/books/last/read", **{AFTER: finished.headers["Bookshelf-Position"]})
    [found] = read.json
    assert (found["id"], found["state"], found["finished"], found["rating"]) == (
        book["id"],
        "finished",
        "2024-03-01",
        5,
    )


async def test_a_repeated_key_gets_the_same_answer_marked_as_repetition(shelf: Shelf) -> None:
    first = await shelf.send("POST", "/books", DUNE, Idempotency_Key="key")
    again = await shelf.send(
        "POST", "/books", b'{"author" :"Frank Herbert","title":"Dune"}', Idempotency_Key='"key"'
    )
    assert (again.status, again.body, again.headers["ETag"]) == (201, first.body, first.headers["ETag"])
    assert again.headers["Bookshelf-Position"] == first.headers["Bookshelf-Position"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    other = await shelf.send("POST", "/books", {**DUNE, "title": "Emma"}, Idempotency_Key="key")
    assert (other.status, other.json["type"]) == (422, "urn:bookshelf:problem:key-reused")
    assert other.headers["Location"] == first.headers["Location"]


async def test_a_body_with_the_whole_book_is_accepted(shelf: Shelf) -> None:
    book = await shelf.add(tags=["sf"])
    book.pop("position")
    assert (
        await shelf.send("POST", f"/books/{book['id']}/finished", {**book, "finished": None})
    ).status == 204
    assert (await shelf.send("POST", f"/books/{book['id']}/finished")).status == 204
    await shelf.caught_up()
    history = (await shelf.send("GET", f"/books/{book['id']}/history")).json
    assert [event["type"] for event in history] == ["shelf.book-added.v1", "shelf.book-finished.v1"]


async def test_an_entity_tag_of_a_query_is_valid_in_if_match(shelf: Shelf) -> None:
    book = await shelf.add()
    target = f"/books/{book['id']}"
    await shelf.caught_up()
    seen = (await shelf.send("GET", target)).headers["ETag"]
    await shelf.send("POST", f"{target}/finished")  # another service's event is a new version too
    late = await shelf.send("PATCH", target, {"title": "x"}, If_Match=seen)
    assert (late.status, late.json["type"]) == (412, "urn:bookshelf:problem:changed")
    # the refusal has the position of what is newer: a query after it has that
    answer = await shelf.send("GET", target, Bookshelf_After=late.headers["Bookshelf-Position"])
    now = answer.headers["ETag"]
    assert now != seen
    changed = await shelf.send("PATCH", target, {"title": "Arrakis"}, If_Match=f'"0", {now}')
    assert (changed.status, changed.json["title"]) == (200, "Arrakis")
    assert (await shelf.send("DELETE", target, If_Match=now)).status == 412
    assert (await shelf.send("DELETE", target, If_Match=changed.headers["ETag"])).status == 204


@pytest.mark.parametrize("target", ["/books", "/books/{id}", "/books/last/read", "/books/{id}/history"])
async def test_an_unchanged_answer_is_304(shelf: Shelf, target: str) -> None:
    book = await shelf.add()
    await shelf.caught_up()
    target = target.replace("{id}", book["id"])
    first = await shelf.send("GET", target)
    tag = first.headers["ETag"]
    unchanged = await shelf.send("GET", target, If_None_Match=f'"other", W/{tag}')
    assert (unchanged.status, unchanged.body, unchanged.headers["ETag"]) == (304, b"", tag)
    await shelf.send("POST", f"/books/{book['id']}/finished")
    await shelf.caught_up()
    assert (await shelf.send("GET", target, If_None_Match=tag)).status == 200


async def test_head_equals_get_without_its_body(shelf: Shelf) -> None:
    await shelf.add()
    await shelf.caught_up()
    whole = await shelf.send("GET", "/books")
    head = await shelf.send("HEAD", "/books")
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", whole.headers["ETag"])
    assert head.headers["Content-Length"] == str(len(whole.body))
    assert (await shelf.send("HEAD", "/nowhere")).body == b""


async def pages(shelf: Shelf, target: str) -> list[dict[str, Any]]:
    """Follow the Link of each page to the next, as a client would."""
    found: list[dict[str, Any]] = []
    while True:
        page = await shelf.send("GET", target)
        found += page.json
        if "Link" not in page.headers:
            return found
        target = page.headers["Link"].removeprefix("<").removesuffix('>; rel="next"')


@pytest.mark.parametrize("sort", ["added", "-added", "title", "-title", "author", "published", "-finished"])
async def test_all_pages_together_are_the_list_in_order(shelf: Shelf, sort: str) -> None:
    for n in range(7):
        book = await shelf.add(title=f"Book {n % 3} ÄÖ&?#", published=None if n % 2 else str(1900 + n))
        if n % 2:
            await shelf.send("POST", f"/books/{book['id']}/finished", {"finished": f"2024-01-0{n}"})
    await shelf.caught_up()
    whole = (await shelf.send("GET", f"/books?sort={sort}")).json
    assert len(whole) == 7
    assert await pages(shelf, f"/books?sort={sort}&limit=2") == whole
    assert await pages(shelf, f"/books?q=%C3%A4%C3%B6+book&sort={sort}&limit=3") == whole


async def test_books_are_found_by_words_and_by_state(shelf: Shelf) -> None:
    dune = await shelf.add(title="Dune", tags=["désert"])
    emma = await shelf.add(title="Emma", author="Jane Austen")
    await shelf.send("POST", f"/books/{emma['id']}/finished")
    await shelf.caught_up()
    for query, found in {
        "q=du": [dune],
        "q=HERB+desert": [dune],
        "q=jane+emma": [emma],
        "q=jane+dune": [],
        "q=%22%29+OR+1%3D1": [],
        "q=": [dune, emma],
        "state=finished": [emma],
        "state=unread": [dune],
        "q=emma&state=unread": [],
    }.items():
        listed = (await shelf.send("GET", f"/books?{query}")).json
        assert {book["id"] for book in listed} == {book["id"] for book in found}, query


async def test_the_last_read_books_are_listed_newest_first(shelf: Shelf) -> None:
    days = {
        "a": "2024-01-02",
        "b": "unknown",
        "c": "2024-01-03",
        "d": "2024-01-02",
        "e": "2023-12-31",
        "f": "2024-01-01",
    }
    for title, day in days.items():
        book = await shelf.add(title=title)
        await shelf.send("POST", f"/books/{book['id']}/finished", {"finished": day})
    await shelf.add(title="not read")
    await shelf.caught_up()
    read = (await shelf.send("GET", "/books/last/read")).json
    assert [book["title"] for book in read] == ["c", "d", "a", "f", "e"]
    all_read = (await shelf.send("GET", "/books/last/read?limit=100")).json
    assert [book["title"] for book in all_read] == ["c", "d", "a", "f", "e", "b"]


async def test_a_query_with_as_of_shows_the_former_state(shelf: Shelf) -> None:
    book = await shelf.add()
    await shelf.send("PATCH", f"/books/{book['id']}", {"title": "Arrakis"})
    await shelf.caught_up()
    at = {"before": "2026-03-01T11:59:59Z", "then": "2026-03-01T12:00:00Z"}
    assert (await shelf.send("GET", f"/books/{book['id']}?as-of={at['before']}")).status == 404
    assert (await shelf.send("GET", f"/books/{book['id']}?as-of={at['then']}")).json["title"] == "Arrakis"
    assert (await shelf.send("GET", f"/books/{book['id']}?as-of=2026-03-01")).status == 422


async def test_a_removed_book_is_not_found_and_keeps_its_history(shelf: Shelf) -> None:
    book = await shelf.add()
    target = f"/books/{book['id']}"
    assert (await shelf.send("DELETE", target)).status == 204
    await shelf.caught_up()
    assert (await shelf.send("GET", "/books")).json == []
    for method, path in [
        ("GET", target),
        ("PATCH", target),
        ("DELETE", target),
        ("POST", f"{target}/finished"),
    ]:
        assert (await shelf.send(method, path, {} if method in {"PATCH", "POST"} else None)).status == 404
    assert len((await shelf.send("GET", f"{target}/history")).json) == 2
