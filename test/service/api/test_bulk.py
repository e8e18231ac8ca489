"""Bulk requests: many commands in one request, each with its own result."""

from typing import Any

import pytest
from support.shelf import DUNE, Answered, Shelf

from bookshelf.http.message import request
from bookshelf.runtime.api.bulk import MAX_BODY


async def bulk(shelf: Shelf, items: Any, **headers: str) -> Answered:  # noqa: ANN401 (JSON, or bytes)
    return await shelf.send("POST", "/books/bulk", items, **headers)


def adding(title: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (a book's fields)
    return {"method": "POST", "path": "/books", "body": {**DUNE, "title": title, **fields}}


def changing(book: str, title: str, **item: Any) -> dict[str, Any]:  # noqa: ANN401 (an item's fields)
    return {"method": "PATCH", "path": f"/books/{book}", "body": {"title": title}, **item}


async def listed(shelf: Shelf, positions: str) -> list[dict[str, Any]]:
    answer = await shelf.send("GET", "/books", **{"Bookshelf-After": positions})
    found: list[dict[str, Any]] = answer.json
    return found


async def test_every_item_has_a_result_in_sequence(shelf: Shelf) -> None:
    book = await shelf.add()
    items = [adding("a"), changing(book["id"], "b"), changing("x", "c"), adding("")]
    answer = await bulk(shelf, items)
    added, changed, missing, wrong = answer.json
    assert answer.status == 200
    assert (added["status"], added["location"]) == (201, f"/books/{added['id']}")
    assert (changed["status"], changed["id"], "location" in changed) == (200, book["id"], False)
    assert {"etag", "change"} <= added.keys() & changed.keys()
    assert (missing["status"], missing["problem"]["type"]) == (404, "urn:bookshelf:problem:not-found")
    assert (wrong["status"], wrong["problem"]["errors"][0]["pointer"]) == (422, "/title")
    titles = [one["title"] for one in await listed(shelf, answer.headers["Bookshelf-Position"])]
    assert sorted(titles) == ["a", "b"]


async def test_a_repeated_request_repeats_nothing(shelf: Shelf) -> None:
    items = [adding(str(n)) for n in range(20)]
    first = await bulk(shelf, items, Idempotency_Key="key")
    again = await bulk(shelf, items, Idempotency_Key="key")
    assert [one.pop("replayed") for one in again.json] == [True] * 20
    assert [{**one, "replayed": True} for one in first.json] == [
        {**one, "replayed": True} for one in again.json
    ]
    single = await shelf.send("POST", "/books", items[3]["body"], Idempotency_Key="key.3")
    assert (single.json["id"], single.headers["Idempotency-Replayed"]) == (first.json[3]["id"], "true")


async def test_an_item_may_have_a_key_of_its_own(shelf: Shelf) -> None:
    item = {**adding("a"), "key": "own"}
    [first] = (await bulk(shelf, [item], Idempotency_Key="one")).json
    _, again, other = (
        await bulk(shelf, [adding("b"), item, {**adding("c"), "key": "own"}], Idempotency_Key="two")
    ).json
    assert (again["id"], again["replayed"]) == (first["id"], True)
    assert (other["status"], other["id"]) == (422, first["id"])
    [wrong] = (await bulk(shelf, [{**adding("d"), "key": "ö"}])).json
    assert wrong["status"] == 400


async def test_items_on_one_thing_are_carried_out_in_their_sequence(shelf: Shelf) -> None:
    book = await shelf.add()
    answer = await bulk(shelf, [changing(book["id"], str(n)) for n in range(9)])
    assert {one["status"] for one in answer.json} == {200}
    [shown] = await listed(shelf, answer.headers["Bookshelf-Position"])
    assert shown["title"] == "8"


async def test_an_item_has_its_condition_and_what_it_takes_back(shelf: Shelf) -> None:
    book = await shelf.add()
    late, done = (
        await bulk(
            shelf, [changing(book["id"], "a", if_match='"999"'), changing(book["id"], "b", undoes="change-1")]
        )
    ).json
    assert (late["status"], done["status"]) == (412, 200)
    await shelf.caught_up()
    assert (await shelf.send("GET", f"/changes/{done['change']}")).json["undoes"] == "change-1"


@pytest.mark.parametrize("headers", [{}, {"Bookshelf-Correlation": "import-1"}])
async def test_the_changes_of_one_request_are_joined(shelf: Shelf, headers: dict[str, str]) -> None:
    answer = await bulk(shelf, [adding("a"), adding("b")], **headers)
    correlation = answer.headers["Bookshelf-Correlation"]
    assert correlation == headers.get("Bookshelf-Correlation", correlation)
    await shelf.caught_up()
    joined = (await shelf.send("GET", f"/changes?correlation={correlation}")).json
    assert {one["id"] for one in joined} == {one["change"] for one in answer.json}


@pytest.mark.parametrize(
    ("item", "status", "kind"),
    [
        ({"method": "POST", "path": "/books/bulk", "body": []}, 404, "no-route"),
        ({"method": "POST", "path": "/metrics", "body": {}}, 405, "method"),
        ({"method": "POST", "path": "/nowhere"}, 404, "no-route"),
        ({"method": "POST", "path": "/books/%ff/restored"}, 400, "malformed"),
        ({"method": "POST", "path": "/books"}, 400, "malformed"),
    ],
)
async def test_an_item_that_is_no_command_of_the_service_is_refused_alone(
    shelf: Shelf, item: dict[str, Any], status: int, kind: str
) -> None:
    refused, added = (await bulk(shelf, [item, adding("b")])).json
    assert (refused["status"], added["status"]) == (status, 201)
    assert refused["problem"]["type"] == f"urn:bookshelf:problem:{kind}"


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ([adding("a")] * 1001, 422, ""),
        ([{"method": "GET", "path": "/books"}], 422, "/0/method"),
        ([{"method": "POST", "path": "books"}], 422, "/0/path"),
        ({"items": []}, 422, ""),
        (b"[", 400, None),
        (b"[" + b" " * MAX_BODY + b"]", 413, None),
    ],
)
async def test_an_unreadable_request_is_refused_whole(
    shelf: Shelf,
    body: Any,  # noqa: ANN401 (JSON, or bytes)
    status: int,
    where: str | None,
) -> None:
    answer = await bulk(shelf, body)
    assert answer.status == status
    assert where is None or answer.json["errors"][0].get("pointer", "") == where


async def test_a_bulk_request_may_be_larger_than_a_single_one(shelf: Shelf) -> None:
    items = [adding("a", notes="x" * 40_000) for _ in range(40)]
    assert {one["status"] for one in (await bulk(shelf, items)).json} == {201}


async def test_lists_have_a_bulk_request_too(shelf: Shelf) -> None:
    async def statuses(items: bytes) -> list[int]:
        sent = request("POST", "/lists/bulk", items, Content_Type="application/json")
        return [one["status"] for one in Answered(await shelf.hosts["lists"].api.handle(sent)).json]

    create = b"""[{"method":"POST","path":"/lists","body":{"name":"Holidays","id":"h"}},
        {"method":"POST","path":"/lists","body":{"name":"No","id":"bulk"}}]"""
    assert await statuses(create) == [201, 422]
    assert await statuses(b'[{"method":"PUT","path":"/lists/h/books/b"}]') == [204]


async def test_readings_have_a_bulk_request_too(shelf: Shelf) -> None:
    book = await shelf.add()
    api = shelf.hosts["readbook"].api
    finish = b'[{"method":"POST","path":"/books/%b/finished","body":{"rating":5}}]' % book["id"].encode()
    sent = request("POST", "/readings/bulk", finish, Content_Type="application/json")
    answer = Answered(await api.handle(sent))
    assert [one["status"] for one in answer.json] == [204]
