"""The ports that a service stands on, bundled in one value: real adapters, or those of a simulation."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import LocalTransport, Transport
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.server import HttpServer
from bookshelf.log.port import Log
from bookshelf.media.port import BlobStore, Pictures
from bookshelf.runtime.aggregate.state_cache import CACHE_BYTES, StateCache
from bookshelf.runtime.aggregate.state_store import SqliteStateStore
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.api.session_store import SessionStore
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.election.leases import Locks
from bookshelf.runtime.election.local import LocalElection
from bookshelf.runtime.sealing import Seals
from bookshelf.storage.port import Storage


class Listener(Protocol):
    """An open port with a handler behind it."""

    host: str
    port: int

    async def stop(self) -> None:
        """Finish the requests under way and close the port."""


Listen = Callable[[Handler, str, int], Awaitable[Listener]]
MakeStates = Callable[[Aggregate[Any], int], StateCache]


def sqlite_states(
    folder: Path, partitions: int, cached: int, command_memory_h: float, stack: AsyncExitStack
) -> MakeStates:
    """Return what makes the state caches of an instance: a file for each partition, until the stack closes.

    `cached`: the most states of a partition in memory; `command_memory_h`: see `StateCache`.
    """
    threads = ThreadPoolExecutor(1, thread_name_prefix="states")
    stack.push_async_callback(asyncio.to_thread, threads.shutdown)

    def made(aggregate: Aggregate[Any], partition: int) -> StateCache:
        store = SqliteStateStore(folder / f"{aggregate.name}-{partition}.sqlite")
        return StateCache(aggregate, store, threads, cached, command_memory_h, CACHE_BYTES // partitions)

    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure:
    """The ports that one process stands on: log, discovery, storage, HTTP, blobs, pictures, clock and ids.

    `api` answers requests of the whole HTTP API as the gateway does, for services that are its clients.
    `callers` reads the caller of a request. `folder` has a subfolder for the own files of each service.
    `seals` seals personal texts, if there is a keyring. `sessions` keeps the sessions of clients, for routes
    with sessions. `locks` grants leases.
    """

    log: Log
    discovery: Discovery
    storage: Storage
    transport: Transport
    listen: Listen
    states: MakeStates
    clock: Clock
    ids: Ids
    api: Handler
    callers: Callers
    blobs: BlobStore
    pictures: Pictures
    folder: Path
    seals: Seals = field(default_factory=Seals)
    sessions: SessionStore | None = None
    locks: Locks = field(default_factory=lambda: Locks(LocalElection(), "this process"))


class LateHandler:
    """Stands for a handler that is made later, and answers 503 until then."""

    def __init__(self) -> None:
        self.handler: Handler | None = None

    async def handle(self, request: Request) -> Response:
        """Return the response of the handler."""
        if self.handler is None:
            return problem_response(Problem("unavailable", "this process is still starting; try again"))
        return await self.handler.handle(request)


class PortlessListeners:
    """Attaches each handler to a transport under a number that is no port: only this process reaches it."""

    def __init__(self, transport: LocalTransport) -> None:
        self._transport = transport
        self._numbers = count(1)

    async def listen(self, handler: Handler, host: str, _port: int) -> "PortlessListener":
        """Attach a handler."""
        return PortlessListener(self._transport, handler, host, next(self._numbers))


class PortlessListener:
    """A handler that only this process reaches."""

    def __init__(self, transport: LocalTransport, handler: Handler, host: str, port: int) -> None:
        self._transport = transport
        self.host = host
        self.port = port
        transport.attach(host, port, handler)

    async def stop(self) -> None:
        """Detach the handler."""
        self._transport.detach(self.host, self.port)


class InProcessListeners:
    """Opens real ports, and attaches each handler to a transport that reaches it without a socket."""

    def __init__(self, transport: LocalTransport, allowed_hosts: Iterable[str] = ()) -> None:
        self._transport = transport
        self._allowed_hosts = tuple(allowed_hosts)

    async def listen(self, handler: Handler, host: str, port: int) -> "InProcessListener":
        """Open a port, 0 for any. Raises `PortTaken`."""
        server = HttpServer(handler, host, port, allowed_hosts=self._allowed_hosts)
        await server.start()
        self._transport.attach(server.host, server.port, handler)
        return InProcessListener(server, self._transport)


class InProcessListener:
    """An open port that requests of this same process can bypass."""

    def __init__(self, server: HttpServer, transport: LocalTransport) -> None:
        self._server = server
        self._transport = transport
        self.host = server.host
        self.port = server.port

    async def stop(self) -> None:
        """Detach the handler and close the port."""
        self._transport.detach(self.host, self.port)
        await self._server.stop()
