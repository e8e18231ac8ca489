"""`Bookshelf-Command` is for forwarding between instances: a client gains nothing by it."""

from typing import Any

import pytest
from support.shelf import DUNE, Shelf

from bookshelf.log.port import Log

MADE = "0193a1b2-c3d4-7abc-8def-0123456789ab"
TOPIC = "bookshelf"


async def written(log: Log) -> int:
    """Return how many records there are."""
    return sum([await log.end(TOPIC, p) for p in range(log.partitions(TOPIC))])


@pytest.mark.parametrize(
    "given",
    [
        "due-2026-01-01T00:00:00.000000+00:00",  # a deadline's command would count as carried out
        "dune-1",  # another client's key, in words
        MADE.upper(),
        MADE.replace("-7", "-4"),
        f"{MADE}, {MADE}",
        f" {MADE}",
        "",
    ],
)
async def test_a_forwarded_command_id_of_another_form_is_refused(shelf: Shelf, given: str) -> None:
    answer = await shelf.send("POST", "/books", DUNE, Bookshelf_Command=given)
    assert (answer.status, answer.json["type"]) == (400, "urn:bookshelf:problem:malformed")
    assert answer.json["errors"][0]["header"] == "Bookshelf-Command"
    assert await written(shelf.log) == 0


async def test_a_forwarded_command_id_works_like_a_key(shelf: Shelf) -> None:
    first = await shelf.send("POST", "/books", DUNE, Bookshelf_Command=MADE)
    again = await shelf.send("POST", "/books", DUNE, Bookshelf_Command=MADE)
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert await written(shelf.log) == 1


async def test_a_key_takes_precedence_over_the_forwarded_command_id(shelf: Shelf) -> None:
    added = [
        await shelf.send("POST", "/books", DUNE, Bookshelf_Command=MADE, Idempotency_Key=key) for key in "ab"
    ]
    assert len({answer.json["id"] for answer in added}) == 2


@pytest.mark.parametrize("body", [DUNE, {"title": "Emma", "author": "x"}])
async def test_a_forwarded_command_id_neither_shows_nor_changes_the_result_of_a_key(
    shelf: Shelf, body: dict[str, Any]
) -> None:
    mine = await shelf.send("POST", "/books", DUNE, Idempotency_Key=MADE)
    stolen = await shelf.send("POST", "/books", body, Bookshelf_Command=MADE)
    assert (stolen.status, stolen.json["type"]) == (422, "urn:bookshelf:problem:key-reused")
    assert (await shelf.send("POST", "/books", DUNE, Idempotency_Key=MADE)).json == mine.json
    assert await written(shelf.log) == 1
