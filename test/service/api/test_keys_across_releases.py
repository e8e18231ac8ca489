"""A command that one release has carried out is recognised by the next one."""

from dataclasses import replace
from typing import Any

import msgspec
from support.endpoint import Asked
from support.fixed_infrastructure import NOW
from support.shelf import DUNE, JSON, Shelf

from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.route import CommandRoute
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import NewRecord, partition_of
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.runtime.api.ownership import created
from bookshelf.shelf import book
from bookshelf.shelf.book import BOOK, AddBook
from bookshelf.shelf.events import TOPIC, BookAdded
from bookshelf.shelf.fields import NewBook

KEY = "mine"
ADD = next(route for route in book.ROUTES if route.creates)
#: Hashes of DUNE as the release before wrote them: with all fields, those with their defaults too.
BY_HTTP = "5da3c5c396ef7e40a540856e4e6977b5"
BY_TOPIC = "b2fccc2acbc1d13af3ef4b637dfa0f56"


class NewBookOfTheNextRelease(NewBook):
    shelf: str | None = None


async def hash_at(route: CommandRoute, body: dict[str, Any]) -> str:
    asked = Asked(route)
    await asked.send(msgspec.json.encode(body), Idempotency_Key=KEY)
    return asked.commands[0].hash


async def test_a_new_optional_field_of_a_body_changes_no_hash() -> None:
    route = replace(ADD, body=NewBookOfTheNextRelease)
    assert await hash_at(route, DUNE) == await hash_at(ADD, DUNE)
    assert await hash_at(route, {**DUNE, "shelf": None}) == await hash_at(ADD, DUNE)
    assert await hash_at(route, {**DUNE, "shelf": "left"}) != await hash_at(ADD, DUNE)


def carried_out(subject: str, command_hash: str) -> NewRecord:
    """The event of a book that another release has added under KEY."""
    envelope = Envelope(
        specversion="1.0",
        id="event-1",
        source="newbook",
        type=BookAdded.TYPE,
        subject=subject,
        time=NOW,
        datacontenttype="application/json",
        data=msgspec.Raw(
            msgspec.json.encode(BookAdded(title=DUNE["title"], author=DUNE["author"], added=NOW))
        ),
        actor="reader",
        commandid=KEY,
        commandhash=command_hash,
    )
    return NewRecord(subject, encode_envelope(envelope), TOPIC)


async def append(log: MemoryLog, record: NewRecord) -> None:
    writer = await log.writer("another", TOPIC, partition_of(record.key, 2))
    await writer.append([record])
    await writer.close()


async def test_a_retry_across_releases_gets_the_first_answer() -> None:
    log = MemoryLog(2)
    await append(log, carried_out(created(KEY), BY_HTTP))
    async with Shelf(log) as shelf:
        again = await shelf.send("POST", "/books", DUNE, Idempotency_Key=KEY, Content_Type=JSON)
        other = await shelf.send("POST", "/books", {**DUNE, "title": "Dune II"}, Idempotency_Key=KEY)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert (other.status, other.json["type"]) == (422, "urn:bookshelf:problem:key-reused")


async def test_a_repeated_command_message_across_releases_is_done() -> None:
    log = MemoryLog(2)
    await append(log, carried_out("book-1", BY_TOPIC))
    command = AddBook(book=NewBook(title=DUNE["title"], author=DUNE["author"]), at=NOW)
    sent = command_message(
        BOOK, command, id=KEY, source="tests", subject="book-1", time=NOW, replyto="answers"
    )
    await append(log, sent)
    async with Shelf(log):
        tail = await log.tail("answers", partition_of("book-1", 2), 0)
        [answer] = await tail.take(1)
        await tail.close()
    assert msgspec.json.decode(answer.value)["type"] == "bookshelf.command-done.v1"
