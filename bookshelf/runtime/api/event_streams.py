"""The endpoint of an events route: server-sent events, an answer whenever the view has changed.

Source: WHATWG HTML, server-sent events. A message's id is the positions that it goes up to, so that the
`Last-Event-ID` of a client that comes back names what it has received.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.route import EventsRoute, Span
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.identity import Callers, admit
from bookshelf.runtime.api.queries import (
    DEADLINE_S,
    RenderedResponse,
    ResponseCache,
    Viewer,
    read_parameters,
    run_query,
    viewer_of,
)
from bookshelf.runtime.decoding import decoder_of
from bookshelf.runtime.sealing import ApiSeals
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.port import StorageFault

#: Seconds without a message after which a comment line shows that the stream is alive.
SILENCE_S = 15.0
#: Open streams of one route in one instance.
MAX_STREAMS = 500
#: Records of one partition that one message is about, at the most.
_STEP = 500
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
#: A client connects again a second after its stream has ended.
_RETRY = b"retry: 1000\n"
_COMMENT = b":\n\n"
_encode = msgspec.json.Encoder().encode
#: A view's revision; None if there is more to query at once.
Revision = tuple[int, int] | None
Ask = Callable[[Revision, Span], Awaitable[bytes]]


class EventsEndpoint:
    """Answers the requests of one events route with streams, until `close`.

    `silence_s`: seconds after which a comment line is sent. `most`: open streams; more are answered 503.
    """

    def __init__(
        self,
        route: EventsRoute,
        host: ViewHost,
        callers: Callers,
        silence_s: float = SILENCE_S,
        most: int = MAX_STREAMS,
        seals: ApiSeals | None = None,
    ) -> None:
        self._seals = seals or ApiSeals()
        self._route = route
        self._host = host
        self._callers = callers
        self._silence_s = silence_s
        self._most = most
        self._reader = decoder_of(route.params)
        self._hot = ResponseCache()
        self._leaving = asyncio.Event()
        self._paused = False
        #: What open streams send next about a pause, and what wakes them for it.
        self._notice = b""
        self._noticed = asyncio.Event()
        self._open = 0

    def close(self) -> None:
        """End all streams: their clients connect again, to another instance."""
        self._leaving.set()

    def note_pause(self, rollout: str | None) -> None:
        """Send a message to all streams: the service is paused for a rollout; None: it has resumed.

        The streams go on. Nothing is sent for a pause without a rollout.
        """
        if bool(rollout) is self._paused:
            return
        self._paused = bool(rollout)
        data = _encode({"rollout": rollout} if rollout else {})
        self._notice = b"event: %b\ndata: %b\n\n" % (b"reloading" if rollout else b"resumed", data)
        noticed, self._noticed = self._noticed, asyncio.Event()
        noticed.set()

    async def __call__(self, request: Request, path: Mapping[str, str]) -> Response:
        """Begin a stream. Raises `Problem`, `Refused`, `NotCaughtUp`, `StorageFault`."""
        caller = admit(self._callers, request, self._route.requires)
        if self._open >= self._most or self._leaving.is_set():
            raise Problem("unavailable", "this instance takes no further stream now; try again in a moment")
        viewer = viewer_of(self._route, caller)
        params = read_parameters(self._reader, request, path, viewer)
        stream = _Stream(self._host, self._ask(params, viewer, request.target))
        try:
            async with asyncio.timeout(header_fields.time_left(request.headers, DEADLINE_S)):
                if positions := header_fields.after(request.headers):
                    await self._host.after(positions)
                await stream.begin(header_fields.last_event(request.headers))
        except TimeoutError:
            raise Problem("gateway-timeout", "the answer was not found in time; try again") from None
        return Response(200, dict(_HEADERS), self._messages(stream, viewer.person))

    def _ask(self, params: Any, viewer: Viewer, target: str) -> Ask:  # noqa: ANN401 (the route's own type)
        """Return the query of a stream. Streams that have come equally far share one rendering."""

        async def ask(revision: Revision, span: Span) -> bytes:
            def work(db: Any) -> RenderedResponse:  # noqa: ANN401 (the storage's connection)
                return RenderedResponse(_encode(self._route.query(db, params, span).body), "", None)

            key = (viewer, target, *sorted(span.items()))
            return (await self._hot.get(key, revision, lambda: run_query(self._host, work))).body

        return ask

    async def _messages(self, stream: "_Stream", person: str | None) -> AsyncIterator[bytes]:
        self._open += 1
        leaving = asyncio.ensure_future(self._leaving.wait())
        noticed = asyncio.ensure_future(self._noticed.wait())
        try:
            yield _RETRY + await self._seals.open(stream.message(), person)
            while True:
                changed = asyncio.ensure_future(stream.changed())
                news = (changed, leaving, noticed)
                try:
                    await asyncio.wait(news, timeout=self._silence_s, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if leaving.done():
                    return
                if noticed.done():
                    noticed = asyncio.ensure_future(self._noticed.wait())
                    yield self._notice
                elif not changed.done():
                    yield _COMMENT
                elif await stream.step():
                    yield await self._seals.open(stream.message(), person)
        except (Refused, Problem, StorageFault):
            return  # the client connects again, and gets the reason
        finally:
            self._open -= 1
            leaving.cancel()
            noticed.cancel()


class _Stream:
    """One client's stream: how far it has come by partition, and the body of its last message."""

    def __init__(self, host: ViewHost, ask: Ask) -> None:
        self._host = host
        self._ask = ask
        self._seen: dict[int, int] = {}
        self._revision: Revision = None
        self._body = b"null"
        self._new = False

    async def begin(self, last: list[Position]) -> None:
        """Begin after these positions, or else at the present. Raises what the query raises."""
        topic = self._host.view.topic
        await self._host.current()
        seen = dict.fromkeys(self._host.rows.applied, 0) if last else dict(self._host.rows.applied)
        self._seen = seen | {p.partition: p.offset + 1 for p in last if p.topic == topic}
        await self.step()

    async def step(self) -> bool:
        """Query the view for the next records; return True if there is a message to send.

        Positions past the end of the view belong to another log, as after a restore: then the stream goes on
        from the present.
        """
        self._revision = await self._host.current()
        applied = dict(self._host.rows.applied)
        since = {p: min(self._seen.get(p, 0), end) for p, end in applied.items()}
        span = {p: range(since[p], min(end, since[p] + _STEP)) for p, end in applied.items()}
        body = await self._ask(self._revision, span)
        self._seen = {p: offsets.stop for p, offsets in span.items()}
        if self._seen != applied:
            self._revision = None
        self._new = body not in {b"null", self._body}
        self._body = body if self._new else self._body
        return self._new

    async def changed(self) -> None:
        """Wait until there may be something to send."""
        await self._host.changed(self._revision)

    def message(self) -> bytes:
        """Return the message of the last step: its positions, and its body if that is new."""
        topic = self._host.view.topic
        seen = ",".join(str(Position(topic, p, end - 1)) for p, end in sorted(self._seen.items()) if end)
        data = b"data: %b\n" % self._body if self._new else b""
        return b"id: %b\n%b\n" % (seen.encode(), data)
