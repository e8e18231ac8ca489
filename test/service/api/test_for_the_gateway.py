"""What passes between a service and its gateway: how long is waited, which try it is, where routes are."""

import pytest
from support.shelf import DUNE, Shelf

LEFT = "Bookshelf-Time-Left"


@pytest.mark.parametrize("left", ["0", "0.000"])
@pytest.mark.parametrize(("method", "target"), [("POST", "/books"), ("GET", "/books")])
async def test_a_command_past_its_time_left_is_not_carried_out(
    shelf: Shelf, method: str, target: str, left: str
) -> None:
    body = DUNE if method == "POST" else None
    answer = await shelf.send(method, target, body, **{LEFT: left})
    assert (answer.status, answer.json["type"]) == (504, "urn:bookshelf:problem:gateway-timeout")
    assert "nothing was done" in answer.json["detail"]
    assert (await shelf.send("GET", "/books")).json == []


async def test_a_query_waits_for_its_view_at_most_its_time_left(shelf: Shelf) -> None:
    place = (await shelf.add())["position"]
    for view in shelf.hosts["booklist"].views.values():
        await view.stop()
    book = await shelf.add()
    after = book["position"]
    assert place != after
    answer = await shelf.send("GET", "/books", **{"Bookshelf-After": after, LEFT: "0.01"})
    assert answer.status == 504


@pytest.mark.parametrize("left", ["30", "1e9", "-1", "soon", "99999999", ""])
async def test_enough_or_invalid_time_left_is_ignored(shelf: Shelf, left: str) -> None:
    assert (await shelf.send("GET", "/books", **{LEFT: left})).status == 200
    assert (await shelf.send("POST", "/books", DUNE, **{LEFT: left})).status == 201


async def test_a_repeated_key_of_the_gateway_is_recognised(shelf: Shelf) -> None:
    key = "0193b7a2-7c0e-7d5b-9d42-0b6f0a5e7c11"
    tries = [
        await shelf.send("POST", "/books", DUNE, **{"Idempotency-Key": key, "Bookshelf-Try": number})
        for number in "12"
    ]
    assert [answer.status for answer in tries] == [201, 201]
    assert tries[0].body == tries[1].body
    assert tries[1].headers["Idempotency-Replayed"] == "true"


async def test_a_client_may_retry_with_a_key_of_the_gateway(shelf: Shelf) -> None:
    key = {"Idempotency-Key": "0193b7a2-7c0e-7d5b-9d42-0b6f0a5e7c11"}
    first = await shelf.send("POST", "/books", DUNE, **key, **{"Bookshelf-Try": "1"})
    again = await shelf.send("POST", "/books", DUNE, **key)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_key_of_the_gateway_appends_no_record_without_events(shelf: Shelf) -> None:
    book = await shelf.add()
    target = f"/books/{book['id']}/finished"
    for number, marks in (("1", {"Bookshelf-Try": "1"}), ("2", {"Bookshelf-Try": "1"}), ("3", {})):
        answer = await shelf.send("POST", target, {}, **{"Idempotency-Key": f"key-{number}", **marks})
        assert answer.status == 204
    # added, finished, and the one mark of the key that a client chose
    assert sum([await shelf.log.end("bookshelf", partition) for partition in (0, 1)]) == 3


async def test_a_registration_has_the_document_s_path_and_owned_partitions(shelf: Shelf) -> None:
    found = {one.service: one.meta for one in shelf.infrastructure.discovery.snapshot().instances}
    assert {meta["openapi"] for meta in found.values()} == {"/openapi.json"}
    assert (found["newbook"]["owns-newbook"], found["newbook"]["partitions-newbook"]) == ("0,1", "2")
