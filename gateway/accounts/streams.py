"""Streams of events, and tunnels of WebSockets, that end with the session of their reader."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from http import HTTPStatus

from bookshelf.concurrency import until_set
from bookshelf.http.message import Request, Response, close_body


class SessionStreams:
    """The streams that are open, by the session and by the account of their readers."""

    def __init__(self) -> None:
        self._open: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def bind(self, request: Request, response: Response) -> None:
        """Let a response that is a stream of events, or a tunnel, end with the session of its request."""
        is_stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
        is_stream |= response.status == HTTPStatus.SWITCHING_PROTOCOLS
        if request.session is not None and is_stream and not isinstance(response.body, bytes):
            response.body = self._until_ended(response.body, (request.session, request.actor))

    def end(self, names: Iterable[str]) -> None:
        """End the streams of these sessions and accounts."""
        for name in names:
            for ended in self._open.get(name, ()):
                ended.set()

    async def _until_ended(self, pieces: AsyncIterator[bytes], names: Iterable[str]) -> AsyncIterator[bytes]:
        ended = asyncio.Event()
        for name in names:
            self._open[name].add(ended)
        try:
            async with aclosing(until_set(pieces, ended)) as left:
                async for piece in left:
                    yield piece
        finally:
            for name in names:
                self._open[name].discard(ended)
                if not self._open[name]:
                    del self._open[name]
            await close_body(pieces)
