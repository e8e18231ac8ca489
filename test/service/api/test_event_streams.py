"""Events routes: what a stream sends, from where it continues, and when it ends."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from support.shelf import DEADLINE_S, DUNE, Shelf

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.handler import Caller
from bookshelf.cqrs.route import Answer, EventsRoute, Owned, Span
from bookshelf.http.message import Request, Response, close_body, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.event_streams import EventsEndpoint
from bookshelf.runtime.api.identity import Callers, LocalReader
from bookshelf.runtime.openapi import document
from bookshelf.services import SERVICES
from bookshelf.shelf.book_list import VIEW
from bookshelf.shelf.book_tables import TABLES

BOOKS = TABLES.tables["booklist_book"]
EVENTS = TABLES.tables["booklist_event"]


class Watched(Owned):
    id: str = ""


def titles(db: Any, asked: Watched, _span: Span) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Answer the titles of all books; or the title of one."""
    query = select(BOOKS.c.title).where(~BOOKS.c.removed).order_by(BOOKS.c.seq)
    if not asked.id:
        return Answer([row.title for row in db.execute(query)])
    row = db.execute(query.where(BOOKS.c.id == asked.id)).first()
    if row is None:
        raise NotFound("there is no such book on the shelf")
    return Answer(row.title)


def types(db: Any, _asked: Watched, span: Span) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Answer the types of the new events; nothing if there are none."""
    new = [
        row.type
        for row in db.execute(select(EVENTS).order_by(EVENTS.c.off))
        if row.off in span.get(row.part, ())
    ]
    return Answer(new or None)


STATE = EventsRoute(
    path="/titles", summary="Titles", view=VIEW, query=titles, params=Watched, returns=list[str]
)
NEW = EventsRoute(path="/types", summary="Types", view=VIEW, query=types, returns=list[str])


class Messages:
    """Reads the messages of a stream."""

    def __init__(self, response: Response) -> None:
        assert not isinstance(response.body, bytes)
        self.headers = response.headers
        self._pieces = response.body

    async def next(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await anext(self._pieces)

    async def data(self) -> Any:  # noqa: ANN401 (any JSON)
        """Return the data of the next message; None if it has none."""
        for line in (await self.next()).splitlines():
            if line.startswith(b"data: "):
                return msgspec.json.decode(line.removeprefix(b"data: "))
        return None

    async def close(self) -> None:
        await close_body(self._pieces)


def endpoint(
    shelf: Shelf,
    route: EventsRoute,
    callers: Callers | None = None,
    **options: Any,  # noqa: ANN401 (its options)
) -> EventsEndpoint:
    host = shelf.hosts["booklist"].views["booklist"]
    return EventsEndpoint(route, host, callers or LocalReader(), **options)


class CallersByHeader(LocalReader):
    """Takes a request for that of the person in its field `Caller`."""

    def of(self, request: Request) -> Caller:
        return replace(super().of(request), owner=request.headers.get("Caller"))


async def opened(served: EventsEndpoint, target: str = "/titles", last: str = "") -> Messages:
    headers = {"Last_Event_ID": last} if last else {}
    return Messages(await served(request("GET", target, b"", **headers), {}))


def id_of(message: bytes) -> str:
    [line] = [line for line in message.splitlines() if line.startswith(b"id: ")]
    return line.removeprefix(b"id: ").decode()


async def test_a_stream_sends_the_answer_at_once_and_again_when_it_differs(shelf: Shelf) -> None:
    book = await shelf.add()
    await shelf.caught_up()
    stream = await opened(endpoint(shelf, STATE))
    assert stream.headers["Content-Type"] == "text/event-stream"
    assert await stream.data() == ["Dune"]
    await shelf.send("POST", f"/books/{book['id']}/finished")  # the titles stay the same
    await shelf.caught_up()
    await shelf.add(title="Emma")
    assert await stream.data() == ["Dune", "Emma"]
    await stream.close()


async def test_a_stream_has_a_message_about_a_pause_and_goes_on(shelf: Shelf) -> None:
    served = endpoint(shelf, STATE)
    stream = await opened(served)
    assert await stream.data() == []
    served.note_pause("")  # a node that joins has no rollout
    served.note_pause("r1")
    assert await stream.next() == b'event: reloading\ndata: {"rollout":"r1"}\n\n'
    await shelf.add()
    assert await stream.data() == ["Dune"]
    served.note_pause(None)
    assert await stream.next() == b"event: resumed\ndata: {}\n\n"
    await shelf.add(title="Emma")
    assert await stream.data() == ["Dune", "Emma"]
    await stream.close()


async def test_a_stream_of_events_begins_at_the_present_and_continues_after_the_last_message(
    shelf: Shelf,
) -> None:
    book = await shelf.add()
    await shelf.caught_up()
    served = endpoint(shelf, NEW)
    stream = await opened(served)
    first = await stream.next()
    assert first == f"retry: 1000\nid: {book['position']}\n\n".encode()
    await shelf.send("PATCH", f"/books/{book['id']}", {"title": "x"})
    message = await stream.next()
    assert b'data: ["shelf.book-changed.v1"]' in message
    await stream.close()
    await shelf.send("DELETE", f"/books/{book['id']}")
    await shelf.caught_up()
    again = await opened(served, last=id_of(message))
    assert await again.data() == ["shelf.book-removed.v1"]
    await again.close()


async def test_a_stream_that_is_far_behind_gets_everything_in_several_messages(shelf: Shelf) -> None:
    book = await shelf.add()
    for n in range(600):
        await shelf.send("PATCH", f"/books/{book['id']}", {"title": str(n)})
    await shelf.caught_up()
    stream = await opened(endpoint(shelf, NEW), last=book["position"])
    counts = [len(await stream.data()), len(await stream.data())]
    assert (max(counts) <= 500, sum(counts)) == (True, 600)
    await stream.close()


@pytest.mark.parametrize("last", ["bookshelf/0@999999,bookshelf/1@999999", "another/0@4"])
async def test_positions_of_another_log_or_topic_are_no_reason_to_refuse(shelf: Shelf, last: str) -> None:
    book = await shelf.add()
    await shelf.caught_up()
    stream = await opened(endpoint(shelf, NEW), last=last)
    await stream.next()
    await shelf.send("PATCH", f"/books/{book['id']}", {"title": "x"})
    assert await stream.data() == ["shelf.book-changed.v1"]
    await stream.close()


async def test_what_is_no_position_is_refused(shelf: Shelf) -> None:
    with pytest.raises(Problem, match="Last-Event-ID is one or more positions"):
        await opened(endpoint(shelf, NEW), last="yesterday")


async def test_a_refusal_is_the_answer_before_the_stream_begins_and_ends_it_later(shelf: Shelf) -> None:
    with pytest.raises(NotFound):
        await opened(endpoint(shelf, STATE), "/titles?id=x")
    book = await shelf.add()
    await shelf.caught_up()
    stream = await opened(endpoint(shelf, STATE), f"/titles?id={book['id']}")
    assert await stream.data() == "Dune"
    await shelf.send("DELETE", f"/books/{book['id']}")
    with pytest.raises(StopAsyncIteration):
        await stream.next()


async def test_a_comment_line_follows_silence(shelf: Shelf) -> None:
    stream = await opened(endpoint(shelf, NEW, silence_s=0.01))
    await stream.next()
    assert [await stream.next() for _ in range(2)] == [b":\n\n"] * 2
    await stream.close()


async def test_the_number_of_streams_is_bounded_and_a_closed_one_makes_room(shelf: Shelf) -> None:
    served = endpoint(shelf, STATE, most=1)
    stream = await opened(served)
    await stream.next()
    with pytest.raises(Problem, match="takes no further stream now"):
        await opened(served)
    await stream.close()
    await (await opened(served)).close()


async def test_streams_end_when_the_service_leaves(shelf: Shelf) -> None:
    served = endpoint(shelf, STATE)
    stream = await opened(served)
    await stream.next()
    served.close()
    with pytest.raises(StopAsyncIteration):
        await stream.next()
    with pytest.raises(Problem, match="takes no further stream now"):
        await opened(served)


async def test_streams_that_have_come_equally_far_share_one_query(shelf: Shelf) -> None:
    asked: list[str] = []

    def counted(db: Any, params: Watched, span: Span) -> Answer:  # noqa: ANN401 (the storage's connection)
        asked.append(params.owner or "")
        return titles(db, params, span)

    route = EventsRoute(
        path="/titles", summary="Titles", view=VIEW, query=counted, params=Watched, returns=list[str]
    )
    served = endpoint(shelf, route, CallersByHeader())
    streams = [await opened(served) for _ in range(3)]
    for stream in streams:
        await stream.next()
    await shelf.send("POST", "/books", DUNE)
    assert [await stream.data() for stream in streams] == [["Dune"]] * 3
    assert asked == ["", ""]
    other = await served(request("GET", "/titles", b"", Caller="ann"), {})
    assert asked[-1] == "ann"
    for stream in [*streams, Messages(other)]:
        await stream.close()


def test_the_document_has_the_stream_and_the_type_of_its_data() -> None:
    made = document(replace(SERVICES[0], serves=(NEW,)))
    answer = made["paths"]["/types"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert answer == {
        "schema": {"type": "string"},
        "x-data": {"type": "array", "items": {"type": "string"}},
        "example": "id: bookshelf/0@42\ndata: []\n\n",
    }
