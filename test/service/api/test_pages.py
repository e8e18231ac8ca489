"""Every list is paged, by number and by bytes: pages together are the whole list, with nothing twice."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.shelf import Answered, Shelf

from bookshelf.shelf import limits
from bookshelf.storage.paging import PAGE_BYTES

#: Four bytes each, in UTF-8 as in the memory of a process.
LONG = "\N{BOOKS}" * limits.NOTES_MAX
#: More than fit into two pages.
CHANGES = 2 * PAGE_BYTES // len(LONG.encode()) + 3


def next_target(page: Answered) -> str | None:
    link = page.headers.get("Link")
    if link is None:
        return None
    target, _, rest = link.removeprefix("<").partition(">")
    assert rest == '; rel="next"'
    return target


async def pages(shelf: Shelf, target: str) -> AsyncIterator[Answered]:
    following: str | None = target
    while following is not None:
        page = await shelf.send("GET", following)
        assert page.status == 200, page.body
        yield page
        following = next_target(page)


async def changed_book(shelf: Shelf, notes: str, changes: int) -> str:
    """Add a book, change it so often, and return the target of its history."""
    book = await shelf.add()
    for number in range(changes):
        changed = await shelf.send(
            "PATCH",
            f"/books/{book['id']}",
            {"pages": number + 1, "notes": f"{number}{notes}"[: limits.NOTES_MAX]},
        )
        assert changed.status == 200
    await shelf.caught_up()
    return f"/books/{book['id']}/history"


def said(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["pages"] for event in events if event["type"] == "shelf.book-changed.v1"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
async def test_all_pages_of_a_history_are_the_history_in_order(shelf: Shelf, limit: int) -> None:
    target = await changed_book(shelf, "short", 3)
    whole = await shelf.send("GET", target)
    assert "Link" not in whole.headers
    found = [page.json async for page in pages(shelf, f"{target}?limit={limit}")]
    assert [event for page in found for event in page] == whole.json
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert 0 < len(found[-1]) <= limit


async def test_a_page_of_a_history_is_bounded_in_bytes(shelf: Shelf) -> None:
    target = await changed_book(shelf, LONG, CHANGES)
    found = [page async for page in pages(shelf, target)]
    assert len(found) == 3
    assert all(len(page.body) < PAGE_BYTES + 2 * len(LONG.encode()) for page in found)
    assert said([event for page in found for event in page.json]) == list(range(1, CHANGES + 1))


async def test_a_page_of_books_is_bounded_in_bytes(shelf: Shelf) -> None:
    ids = [(await shelf.add(title=f"book {n}", notes=LONG))["id"] for n in range(CHANGES)]
    await shelf.caught_up()
    found = [page async for page in pages(shelf, "/books?sort=added")]
    assert len(found) == 3
    assert all(len(page.body) < PAGE_BYTES + 2 * len(LONG.encode()) for page in found)
    assert sorted(book["id"] for page in found for book in page.json) == sorted(ids)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=no-cursor", "after"),
        ("after=WyJhZGRlZCIsIiIsIiJd", "after"),
        ("after=WyJoaXN0b3J5IiwibWFueSIsIkJPT0siXQ", "after"),
        ("sort=added", "sort"),
    ],
)
async def test_an_invalid_page_of_a_history_names_the_parameter(
    shelf: Shelf, query: str, parameter: str
) -> None:
    target = await changed_book(shelf, "short", 1)
    found = await shelf.send("GET", f"{target}?{query}")
    assert (found.status, found.json["errors"][0]["parameter"]) == (422, parameter)


async def test_a_cursor_belongs_to_the_history_of_one_book(shelf: Shelf) -> None:
    first, other = await changed_book(shelf, "short", 2), await changed_book(shelf, "short", 2)
    following = next_target(await shelf.send("GET", f"{first}?limit=1"))
    assert following is not None
    found = await shelf.send("GET", f"{other}?{following.partition('?')[2]}")
    assert (found.status, found.json["errors"][0]["parameter"]) == (422, "after")


async def test_a_former_state_is_folded_from_the_whole_history(shelf: Shelf) -> None:
    target = await changed_book(shelf, LONG, CHANGES)
    was = await shelf.send("GET", f"{target.removesuffix('/history')}?as-of=2100-01-01T00:00:00Z")
    assert was.json["pages"] == CHANGES
