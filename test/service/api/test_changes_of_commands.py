"""The change of a command: its id in the answer, and what joins it with other changes in the log."""

import msgspec
import pytest
from support.shelf import DUNE, Shelf

from bookshelf.cqrs.envelope import Envelope, decode_envelope
from bookshelf.runtime.api.header_fields import CHANGE

DUNE_2 = {**DUNE, "title": "Dune II"}


async def envelopes(shelf: Shelf, subject: str) -> list[Envelope]:
    """Return the envelopes of one aggregate, in the order of the log."""
    found: list[Envelope] = []
    for partition in range(shelf.log.partitions("bookshelf")):
        tail = await shelf.log.tail("bookshelf", partition, 0)
        end = await shelf.log.end("bookshelf", partition)
        while tail.position < end:
            found += [
                decode_envelope(record.value) for record in await tail.take(100) if record.key == subject
            ]
        await tail.close()
    return found


async def test_an_answer_has_the_id_of_the_commands_first_event(shelf: Shelf) -> None:
    added = await shelf.send("POST", "/books", DUNE)
    changed = await shelf.send("PATCH", f"/books/{added.json['id']}", DUNE_2)
    changes = [envelope.id for envelope in await envelopes(shelf, added.json["id"])]
    assert [added.headers[CHANGE], changed.headers[CHANGE]] == changes


async def test_a_repetition_has_the_change_of_the_first_answer(shelf: Shelf) -> None:
    first = await shelf.send("POST", "/books", DUNE, Idempotency_Key="key")
    at_once = await shelf.send("POST", "/books", DUNE, Idempotency_Key="key")
    await shelf.send("PATCH", f"/books/{first.json['id']}", DUNE_2)
    later = await shelf.send("POST", "/books", DUNE, Idempotency_Key="key")
    assert [at_once.headers[CHANGE], later.headers[CHANGE]] == [first.headers[CHANGE]] * 2


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "key"}])
async def test_a_command_that_changes_nothing_has_no_change(shelf: Shelf, headers: dict[str, str]) -> None:
    book = await shelf.add()
    for _ in range(2):
        same = await shelf.send("PATCH", f"/books/{book['id']}", DUNE, **headers)
        assert (same.status, same.headers.get(CHANGE)) == (200, None)


async def test_an_event_has_what_joins_its_change_with_others_and_what_it_takes_back(shelf: Shelf) -> None:
    headers = {"Bookshelf-Correlation": "import-1", "Bookshelf-Undoes": "change-1"}
    added = await shelf.send("POST", "/books", DUNE, **headers)
    [event] = await envelopes(shelf, added.json["id"])
    assert (event.correlationid, event.undoes) == ("import-1", "change-1")


@pytest.mark.parametrize("header", ["Bookshelf-Correlation", "Bookshelf-Undoes"])
@pytest.mark.parametrize("value", ["two words", "é", "x" * 129])
async def test_an_id_that_is_not_printable_or_too_long_is_refused(
    shelf: Shelf, header: str, value: str
) -> None:
    refused = await shelf.send("POST", "/books", DUNE, **{header: value})
    assert (refused.status, refused.json["errors"][0]["header"]) == (400, header)
    assert msgspec.json.decode(refused.body)["type"] == "urn:bookshelf:problem:malformed"
