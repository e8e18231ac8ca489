"""The same Idempotency-Key answers the same and writes nothing, also after a restart."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from support.client import Client, Reply
from support.program import Program

KIM = {"title": "Kim", "author": "Rudyard Kipling", "tags": ["india"]}
_numbers = count()


@pytest.fixture
def key() -> str:
    """A key that was never used."""
    return f"key {next(_numbers)}"


def same(one: Reply, other: Reply) -> bool:
    """Whether two answers are equal but for their time, request id, cookies and replay mark."""
    own = {"date", "idempotency-replayed", "set-cookie", "x-request-id"}
    left, right = (
        {name: value for name, value in reply.headers.items() if name not in own} for reply in (one, other)
    )
    return (one.status, one.content, left) == (other.status, other.content, right)


def events(client: Client, book_id: str) -> int:
    return len(client.get(f"/books/{book_id}/history").json)


def test_a_book_is_added_once(either: Client, key: str) -> None:
    first = either.post("/books", KIM, Idempotency_Key=key)
    assert first.status == 201
    for _ in range(3):
        again = either.post("/books", KIM, Idempotency_Key=key)
        assert same(again, first)
        assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert events(either, first.json["id"]) == 1


def test_white_space_and_order_are_no_other_content(either: Client, key: str) -> None:
    first = either.post("/books", KIM, Idempotency_Key=key)
    other = b'{"tags":[  "india"],"author":"Rudyard Kipling"  , "title":"\\u004bim"}'
    again = either.post("/books", other, Idempotency_Key=key)
    assert same(again, first)


def test_a_quoted_key_is_the_same_key(either: Client, key: str) -> None:
    first = either.post("/books", KIM, Idempotency_Key=f'"{key}"')
    assert same(either.post("/books", KIM, Idempotency_Key=key), first)


def test_another_content_with_the_key_is_refused(either: Client, key: str) -> None:
    first = either.post("/books", KIM, Idempotency_Key=key)
    other = either.post("/books", {**KIM, "title": "Kim II"}, Idempotency_Key=key)
    assert (other.status, other.problem) == (422, "key-reused")
    assert either.get(f"/books/{first.json['id']}").json == first.json


def test_a_change_with_a_key_answers_as_it_did_then(either: Client, key: str) -> None:
    path = f"/books/{either.add('Kim')['id']}"
    first = either.patch(path, {"pages": 1}, Idempotency_Key=key)
    either.patch(path, {"pages": 2})
    assert same(either.patch(path, {"pages": 1}, Idempotency_Key=key), first)
    assert either.get(path).json["pages"] == 2
    assert either.patch(path, {"pages": 3}, Idempotency_Key=key).problem == "key-reused"


def test_a_finish_and_a_removal_with_a_key(either: Client, key: str) -> None:
    path = f"/books/{either.add('Kim')['id']}"
    first = either.post(f"{path}/finished", {"rating": 5}, Idempotency_Key=key)
    assert same(either.post(f"{path}/finished", {"rating": 5}, Idempotency_Key=key), first)
    assert either.post(f"{path}/finished", {"rating": 4}, Idempotency_Key=key).problem == "key-reused"
    gone = either.delete(path, Idempotency_Key=f"{key} gone")
    assert gone.status == 204
    assert same(either.delete(path, Idempotency_Key=f"{key} gone"), gone)
    assert same(either.post(f"{path}/finished", {"rating": 5}, Idempotency_Key=key), first)


def test_a_command_that_changed_nothing_is_remembered_too(either: Client, key: str) -> None:
    path = f"/books/{either.add('Kim', pages=1)['id']}"
    assert either.patch(path, {"pages": 1}, Idempotency_Key=key).status == 200
    either.patch(path, {"pages": 2})
    again = either.patch(path, {"pages": 1}, Idempotency_Key=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert either.get(path).json["pages"] == 2


def test_a_refused_command_may_come_again(either: Client, key: str) -> None:
    assert either.post("/books", {**KIM, "title": " "}, Idempotency_Key=key).problem == "invalid"
    assert either.post("/books", KIM, Idempotency_Key=key).status == 201


def test_many_with_one_key_at_once_add_one_book(running: Program, key: str) -> None:
    with ThreadPoolExecutor(32) as many:
        replies = list(many.map(lambda _: running.client.post("/books", KIM, Idempotency_Key=key), range(64)))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.json["id"] for reply in replies}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in replies) == 1


@pytest.mark.parametrize("bad", ["", " ", "x" * 256, 'a"b', "é", "\t"])
def test_a_key_that_cannot_be(either: Client, bad: str) -> None:
    reply = either.post("/books", KIM, Idempotency_Key=bad)
    assert (reply.status, reply.problem, reply.place) == (400, "malformed", "Idempotency-Key")


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_key_is_known_after_a_restart(tmp_path: Path, end: str) -> None:
    with Program(tmp_path).ready() as up:
        client = up.client
        added = client.post("/books", KIM, Idempotency_Key="add")
        path = f"/books/{added.json['id']}"
        changed = client.patch(path, {"pages": 1}, Idempotency_Key="change")
        done = client.post(f"{path}/finished", {"rating": 5}, Idempotency_Key="finish")
        client.patch(path, {"pages": 2})
        before = client.get(f"{path}/history").json
        assert up.stop().well if end == "stopped" else up.kill()
    with Program(tmp_path).ready() as up:
        client = up.client
        assert same(client.post("/books", KIM, Idempotency_Key="add"), added)
        assert same(client.patch(path, {"pages": 1}, Idempotency_Key="change"), changed)
        assert same(client.post(f"{path}/finished", {"rating": 5}, Idempotency_Key="finish"), done)
        assert client.post("/books", {**KIM, "pages": 9}, Idempotency_Key="add").problem == "key-reused"
        assert client.get(f"{path}/history").json == before
