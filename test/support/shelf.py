"""The whole shelf in this process, without a socket: four services over one log, asked as by a gateway."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import msgspec
from support.fixed_infrastructure import CountedIds, FixedClock
from support.service_of import service_of

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.service import Service
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import Handler, Response, request
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Log
from bookshelf.media.memory import MemoryBlobs
from bookshelf.media.pool import PictureWorkers
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import MemoryStateStore
from bookshelf.runtime.api.endpoint import Api
from bookshelf.runtime.api.identity import Callers, LocalReader
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.infrastructure import Infrastructure, LateHandler, MakeStates, PortlessListener
from bookshelf.runtime.sealing import Seals
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import chosen
from bookshelf.storage.port import Storage
from bookshelf.storage.sqlite import MemoryStorage

DEADLINE_S = 30
#: The services of the shelf, with those of its pages and of pictures.
SHELF = chosen(("shelf", "files"))
JSON = "application/json"
DUNE = {"title": "Dune", "author": "Frank Herbert"}


class Answered:
    """An answer, read whole."""

    def __init__(self, response: Response) -> None:
        assert isinstance(response.body, bytes)
        self.status = response.status
        self.headers = response.headers
        self.body = response.body

    @property
    def json(self) -> Any:  # noqa: ANN401 (whatever was answered)
        return msgspec.json.decode(self.body)


class Shelf:
    """Services, and the routes to them."""

    def __init__(  # noqa: PLR0913, PLR0917 (each has a default)
        self,
        log: Log | None = None,
        storage: Storage | None = None,
        states: MakeStates | None = None,
        seals: Seals | None = None,
        services: Iterable[Service] = SHELF,
        callers: Callers | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.log = log or MemoryLog(2)
        self.clock = FixedClock()
        self._storage = storage or MemoryStorage()
        self.pictures = PictureWorkers(1)
        self._folder = TemporaryDirectory()
        self.infrastructure = infrastructure = Infrastructure(
            log=self.log,
            discovery=LocalDiscovery(),
            storage=self._storage,
            transport=(transport := LocalTransport()),
            listen=lambda handler, host, port: _listen(transport, handler, host, port),
            states=states or _states,
            clock=clock or self.clock,
            ids=CountedIds(),
            api=LateHandler(),
            callers=callers or LocalReader(),
            blobs=MemoryBlobs(),
            pictures=self.pictures,
            folder=Path(self._folder.name),
            seals=seals or Seals(),
        )
        self.hosts = {s.name: ServiceHost(s, infrastructure, "127.0.0.1", s.port) for s in services}

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(DEADLINE_S):
            for host in self.hosts.values():
                await host.start()
        return self

    async def __aexit__(self, *fault: object) -> None:
        async with asyncio.timeout(DEADLINE_S):
            for host in self.hosts.values():
                await host.stop()
            await self.close()

    async def close(self) -> None:
        """Close what the services stand on."""
        await self.pictures.close()
        self._folder.cleanup()
        await self._storage.close()

    def edge(self, method: str, target: str) -> Api:
        """Return the edge that a gateway would ask."""
        return self.hosts[service_of(method, target)].api

    async def send(self, method: str, target: str, body: Any = None, **headers: str) -> Answered:  # noqa: ANN401 (JSON, or bytes)
        """Send a request, header names with underscores; anything but bytes goes as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        if content:
            headers.setdefault("Content_Type", JSON)
        async with asyncio.timeout(DEADLINE_S):
            made = request(method, target, content, **headers)
            return Answered(await self.edge(method, target).handle(made))

    async def add(self, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (a book's fields)
        """Add a book; return it as it was answered, with the position to read it after."""
        added = await self.send("POST", "/books", {**DUNE, **fields})
        assert added.status == 201, added.body
        book: dict[str, Any] = added.json
        return {**book, "position": added.headers["Bookshelf-Position"]}

    async def caught_up(self) -> None:
        """Wait until every view has what is in the log."""
        async with asyncio.timeout(DEADLINE_S):
            for host in self.hosts.values():
                for view in host.views.values():
                    topic = view.view.topic
                    ends = {p: await self.log.end(topic, p) for p in range(self.log.partitions(topic))}
                    await view.rows.reach(ends)


async def _listen(transport: LocalTransport, handler: Handler, host: str, port: int) -> PortlessListener:
    return PortlessListener(transport, handler, host, port)


def _states(aggregate: Aggregate[Any], _partition: int) -> StateCache:
    return StateCache(aggregate, MemoryStateStore(), None)
