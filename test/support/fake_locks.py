"""The service `locks` as a gateway sees it, with the primaries that a test names."""

from collections.abc import AsyncIterator

import msgspec
from support.fixed_infrastructure import NOW
from support.upstream import Service, openapi_document

from bookshelf.concurrency import Latest
from bookshelf.http.message import Request, Response
from bookshelf.runtime.election.candidate import primary_lock
from bookshelf.runtime.election.port import HeldLock


class FakeLocks(Service):
    """Streams the locks that are held, whenever a test changes them."""

    def __init__(self) -> None:
        super().__init__(openapi_document("locks", ("cluster", "locks"), "GET /cluster/locks"), self._stream)
        self._held: Latest[dict[str, HeldLock]] = Latest()
        self._held.put({})
        #: Streams that were opened.
        self.opened = 0

    def hold(self, group: str, holder: str, token: int, domain: str = "") -> None:
        """Make a process the primary of a group."""
        name = primary_lock(domain, group)
        self._held.put({**self._now, name: HeldLock(name, holder, token, NOW, 3.0)})

    def free(self, group: str, domain: str = "") -> None:
        """Leave a group without a primary."""
        name = primary_lock(domain, group)
        self._held.put({other: lock for other, lock in self._now.items() if other != name})

    @property
    def _now(self) -> dict[str, HeldLock]:
        return self._held.now or {}

    async def _stream(self, request: Request) -> Response:
        assert request.target == "/cluster/locks/events"
        self.opened += 1
        return Response(200, {"Content-Type": "text/event-stream"}, self._messages())

    async def _messages(self) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n"
        async for held in self._held.each():
            yield b"id: locks/0@1\ndata: %b\n\n" % msgspec.json.encode(list(held.values()))
