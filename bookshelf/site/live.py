"""The stream of changes for pages: names of what has changed, and no content (server-sent events)."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import msgspec

from bookshelf.http.message import Handler, Request, Response, close_body, request
from bookshelf.http.problem import Problem
from bookshelf.site.api_adapters import PREFIX

#: Open streams of one site in one process.
MOST_STREAMS = 256
#: Messages that wait for one page.
_MOST_WAITING = 100
#: Names of the site's own that a new stream begins with.
_MOST_PUBLISHED = 64
#: Seconds without a message after which a comment line shows that the stream is alive.
SILENCE_S = 15.0
_LAST_EVENT = "Last-Event-ID"
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_RETRY = b"retry: 1000\n\n"
_COMMENT = b":\n\n"
_NAME = re.compile(r"[a-z]+(:[A-Za-z0-9._~-]+)?")
#: The most bytes of one message of the API.
_MOST = 1 << 20
Names = Callable[[Mapping[str, Any]], tuple[str, ...]]


class LiveStreams:
    """Passes the names of changes on to the open pages of one site.

    `changes`: the path of the API's stream of new events, None for a site that shows no changes.
    `names` returns what an event's change is called. `publish` adds names of the site's own.
    """

    def __init__(
        self,
        changes: str | None,
        names: Names,
        *,
        most: int = MOST_STREAMS,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._changes = changes
        self._names = names
        self._most = most
        self._silence_s = silence_s
        self._open: dict[asyncio.Queue[bytes], str | None] = {}
        self._published: deque[tuple[str | None, str]] = deque(maxlen=_MOST_PUBLISHED)

    @property
    def count(self) -> int:
        """The number of open streams."""
        return len(self._open)

    def publish(self, owner: str | None, name: str) -> None:
        """Send a name to the open pages of a person, and to those whose stream opens later."""
        self._published.append((owner, name))
        for queue, reader in self._open.items():
            if reader == owner:
                _offer(queue, message([name]))

    async def respond(
        self, asked: Request, api: Handler, owner: str | None = None, followed: tuple[str, str] | None = None
    ) -> Response:
        """Return a stream of a person's changes; or of one thing, by its name and the path of its stream.

        Raises `Problem` if there are too many, or the API's stream does not open.
        """
        if len(self._open) >= self._most:
            raise Problem("unavailable", "too many pages are open; reload this one to see changes")
        name, path = followed or ("", self._changes)
        upstream = None if path is None else await self._upstream(path, asked, api)
        return Response(200, _HEADERS, self._messages(upstream, owner, name))

    async def _upstream(self, path: str, asked: Request, api: Handler) -> AsyncIterator[bytes]:
        last = asked.headers.get(_LAST_EVENT)
        headers = {} if last is None else {_LAST_EVENT: last}
        response = await api.handle(request("GET", PREFIX + path, b"", **headers))
        if response.status != 200 or isinstance(response.body, bytes):  # noqa: PLR2004 (the stream is open)
            if not isinstance(response.body, bytes):
                await close_body(response.body)
            raise Problem("unavailable", "changes cannot be followed right now; reload the page")
        return response.body

    async def _messages(
        self, upstream: AsyncIterator[bytes] | None, owner: str | None, name: str
    ) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        if published := [name for reader, name in self._published if reader == owner]:
            _offer(queue, message(published))
        self._open[queue] = owner
        reading = None if upstream is None else asyncio.create_task(self._pass_on(upstream, queue, name))
        try:
            yield _RETRY
            while True:
                try:
                    async with asyncio.timeout(self._silence_s):
                        piece = await queue.get()
                except TimeoutError:
                    piece = _COMMENT
                if not piece:
                    return
                yield piece
        finally:
            self._open.pop(queue, None)
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _pass_on(
        self, upstream: AsyncIterator[bytes], queue: asyncio.Queue[bytes], followed: str
    ) -> None:
        """Put the names of each message into the queue; an empty piece at the end ends the page's stream.

        Each message of the stream of one thing stands for its name.
        """
        try:
            async for position, data in read_events(upstream):
                names = [name for event in _decode(data) for name in self._names(event)]
                names = [followed] if followed else names
                if names:
                    _offer(queue, message(names, position))
        finally:
            _offer(queue, b"")
            await close_body(upstream)


def _offer(queue: asyncio.Queue[bytes], piece: bytes) -> None:
    """Put a piece into a page's queue; if that is full, because the page does not read, end its stream.

    A page that reads again opens a new one, from the last position that it has seen.
    """
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        piece = b""
    queue.put_nowait(piece)


def _decode(data: str) -> list[Mapping[str, Any]]:
    found = msgspec.json.decode(data)
    return found if isinstance(found, list) else []


def message(names: Iterable[str], position: str = "") -> bytes:
    """Return a message with names of changes; names with other characters are left out."""
    listed = " ".join(dict.fromkeys(name for name in names if _NAME.fullmatch(name)))
    head = f"id: {position}\n" if position else ""
    return f"{head}event: changed\ndata: {listed}\n\n".encode()


async def read_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, str]]:
    """Yield the id and the data of each message of a stream of server-sent events."""
    buffer = b""
    async for piece in pieces:
        buffer += piece
        if len(buffer) > _MOST:
            return
        *whole, buffer = buffer.split(b"\n\n")
        for text in whole:
            fields = [line.partition(":")[::2] for line in text.decode().splitlines()]
            data = "\n".join(value.removeprefix(" ") for name, value in fields if name == "data")
            if data:
                found = next((value.strip() for name, value in fields if name == "id"), "")
                yield found, data
