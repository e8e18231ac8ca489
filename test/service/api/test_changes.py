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
