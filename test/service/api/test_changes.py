"""The changes of the shelf over HTTP: listed, shown with what takes them back, taken back, and streamed."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from support.shelf import DUNE, Answered, Shelf

from bookshelf.http.message import request

JOINED = {"Bookshelf-Correlation": "import-1"}


async def change(shelf: Shelf, method: str, target: str, body: Any = None, **headers: str) -> str:  # noqa: ANN401 (JSON)
    """Send a command; return its change."""
    answer = await shelf.send(method, target, body, **headers)
    assert answer.status < 300, answer.body
    return answer.headers["Bookshelf-Change"]


async def get(shelf: Shelf, target: str) -> Answered:
    await shelf.caught_up()
    return await shelf.send("GET", target)


async def take_back(shelf: Shelf, change_id: str) -> list[Answered]:
    """Send the requests that take a change back."""
    requests = (await get(shelf, f"/changes/{change_id}")).json["undo"]
    return [
        await shelf.send(
            one["method"],
            one["path"],
            one["body"],
            **{"Bookshelf-Undoes": change_id},
            **({"If-Match": one["if_match"]} if one["if_match"] else {}),
        )
        for one in requests
    ]


def ids(changes: Iterable[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in changes]


async def test_a_change_is_shown_with_its_events_and_the_request_that_takes_it_back(shelf: Shelf) -> None:
    book = await shelf.add()
    target = f"/books/{book['id']}"
    patched = await shelf.send("PATCH", target, {"title": "Emma"}, **JOINED)
    change_id = patched.headers["Bookshelf-Change"]
    shown = (await get(shelf, f"/changes/{change_id}")).json
    [event] = shown.pop("events")
    assert (event["type"], event["data"]) == ("shelf.book-changed.v1", {"title": "Emma"})
    assert shown == {
        "id": change_id,
        "subject": book["id"],
        "time": "2026-03-01T12:00:00Z",
        "actor": "reader",
        "correlation": "import-1",
        "undo": [
            {
                "method": "PATCH",
                "path": target,
                "body": {"title": "Dune"},
                "if_match": patched.headers["ETag"],
            }
        ],
    }


async def test_a_change_is_taken_back_by_what_it_is_shown_with_and_then_brought_again(shelf: Shelf) -> None:
    book = await shelf.add()
    first = await change(shelf, "PATCH", f"/books/{book['id']}", {"title": "Emma"})
    [undone] = await take_back(shelf, first)
    assert (undone.status, undone.json["title"]) == (200, "Dune")
    second = undone.headers["Bookshelf-Change"]
    blocked = (await get(shelf, f"/changes/{first}")).json
    assert (blocked["blocked_by"], "undo" in blocked) == ([second], False)
    assert (await get(shelf, f"/changes/{second}")).json["undoes"] == first
    [redone] = await take_back(shelf, second)
    assert redone.json["title"] == "Emma"


async def test_an_undo_of_an_outdated_version_is_refused(shelf: Shelf) -> None:
    book = await shelf.add()
    first = await change(shelf, "PATCH", f"/books/{book['id']}", {"title": "Emma"})
    [undo] = (await get(shelf, f"/changes/{first}")).json["undo"]
    await shelf.send("PATCH", f"/books/{book['id']}", {"notes": "x"})
    late = await shelf.send(undo["method"], undo["path"], undo["body"], If_Match=undo["if_match"])
    assert late.status == 412
    assert [answer.status for answer in await take_back(shelf, first)] == [200]


async def test_changes_are_listed_newest_first_by_book_and_by_correlation_in_pages(shelf: Shelf) -> None:
    added = [await shelf.send("POST", "/books", {**DUNE, "title": str(n)}, **JOINED) for n in range(3)]
    alone = await change(shelf, "PATCH", f"/books/{added[0].json['id']}", {"title": "x"})
    together = [answer.headers["Bookshelf-Change"] for answer in reversed(added)]
    assert ids((await get(shelf, "/changes")).json) == [alone, *together]
    assert ids((await get(shelf, "/changes?correlation=import-1")).json) == together
    of_book = await get(shelf, f"/changes?book={added[0].json['id']}")
    assert ids(of_book.json) == [alone, together[-1]]
    page = await get(shelf, "/changes?limit=3")
    rest = await get(shelf, page.headers["Link"].removeprefix("<").removesuffix('>; rel="next"'))
    assert (ids(page.json), ids(rest.json)) == ([alone, *together[:2]], together[2:])
    assert "Link" not in rest.headers


async def test_all_changes_of_one_correlation_are_taken_back(shelf: Shelf) -> None:
    for n in range(3):
        await shelf.send("POST", "/books", {**DUNE, "title": str(n)}, **JOINED)
    kept = await shelf.add()
    for one in (await get(shelf, "/changes?correlation=import-1")).json:
        await take_back(shelf, one["id"])
    assert ids((await get(shelf, "/books")).json) == [kept["id"]]


LIST_COMMANDS = [
    ("PUT", "/lists/l/books/{1}", {"after": None}),
    ("PUT", "/lists/l/books/{2}", {"after": "{0}"}),
    ("PUT", "/lists/up-next/books/{2}", None),
    ("DELETE", "/lists/l/books/{1}", None),
    ("DELETE", "/lists/up-next/books/{0}", None),
    ("PATCH", "/lists/l", {"name": "Winter"}),
    ("DELETE", "/lists/l", None),
]


@pytest.mark.parametrize(("method", "target", "body"), LIST_COMMANDS)
async def test_a_change_of_a_list_is_taken_back_and_brought_again(
    shelf: Shelf, method: str, target: str, body: dict[str, str] | None
) -> None:
    books = [(await shelf.add(title=title))["id"] for title in "abc"]
    await change(shelf, "POST", "/lists", {"id": "l", "name": "Summer"})
    for list_id, number in (("l", 0), ("l", 1), ("l", 2), ("up-next", 0), ("up-next", 1)):
        await change(shelf, "PUT", f"/lists/{list_id}/books/{books[number]}")
    former = await shown_lists(shelf)
    sent = body and {name: value and value.format(*books) for name, value in body.items()}
    changed = await change(shelf, method, target.format(*books), sent)
    later = await shown_lists(shelf)
    undone = await take_back(shelf, changed)
    assert (await shown_lists(shelf)) == former != later
    for answer in reversed(undone):
        await take_back(shelf, answer.headers["Bookshelf-Change"])
    assert (await shown_lists(shelf)) == later


async def shown_lists(shelf: Shelf) -> list[Any]:
    """Return the lists as a reader sees them: their names, and the titles of their books in order."""
    lists = []
    for one in (await get(shelf, "/lists")).json:
        entries = (await get(shelf, f"/lists/{one['id']}")).json["entries"]
        lists.append((one["name"], [entry["book"]["title"] for entry in entries]))
    return lists


async def test_the_first_entry_of_up_next_is_taken_back(shelf: Shelf) -> None:
    book = await shelf.add()
    first = await change(shelf, "PUT", f"/lists/up-next/books/{book['id']}")
    assert [answer.status for answer in await take_back(shelf, first)] == [204]
    assert await shown_lists(shelf) == [("", [])]


async def test_a_goal_is_taken_back(shelf: Shelf) -> None:
    await change(shelf, "PUT", "/goals/2026", {"books": 10})
    second = await change(shelf, "PUT", "/goals/2026", {"pages": 9})
    await take_back(shelf, second)
    assert (await get(shelf, "/stats/2026")).json["goal"] == {"books": 10}


async def test_a_change_that_does_not_exist_is_not_found(shelf: Shelf) -> None:
    refused = await get(shelf, "/changes/x")
    assert (refused.status, refused.json["type"]) == (404, "urn:bookshelf:problem:not-found")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "owner=ann", "colour=blue"])
async def test_a_wrong_parameter_is_named(shelf: Shelf, query: str) -> None:
    refused = await get(shelf, f"/changes?{query}")
    assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, query.partition("=")[0])


async def test_new_events_are_streamed_with_position_subject_and_type(shelf: Shelf) -> None:
    opened = await shelf.edge("GET", "/changes/events").handle(request("GET", "/changes/events"))
    assert (opened.status, opened.headers["Content-Type"]) == (200, "text/event-stream")
    pieces = opened.body
    assert not isinstance(pieces, bytes)
    assert b"data" not in await anext(pieces)
    book = await shelf.add()
    message = await anext(pieces)
    [data] = [line for line in message.splitlines() if line.startswith(b"data: ")]
    assert msgspec.json.decode(data.removeprefix(b"data: ")) == [
        {"position": book["position"], "subject": book["id"], "type": "shelf.book-added.v1"}
    ]
    for host in shelf.hosts.values():
        await host.stop()
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)
