"""Nodes that run the stateful service over one log, in this process, and the service sessions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
from support.fixed_infrastructure import owner_meters
from support.shelf import DEADLINE_S, JSON, Answered, Shelf
from support.stateful import STATEFUL

from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.cluster.session_parts import PARTS
from bookshelf.cqrs.service import Service
from bookshelf.http.message import request
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.agent.copied_states import CopiedStates
from bookshelf.runtime.agent.copy_file import CopyFile
from bookshelf.runtime.agent.sessions import ReplicatedSessions
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.api.forwarding import OwnerForwarder
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.api.remote_aggregate import CallPorts, RemoteAggregate
from bookshelf.runtime.api.session_store import ProcessSessions, SessionStore
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost

SESSIONS = tuple(service for service in CLUSTER_SERVICES if service.name == "sessions")
HEADER = "Bookshelf-Client-Session"


class SessionNode:
    """One node, and the session of a client that asks it."""

    def __init__(
        self, infrastructure: Infrastructure, store: SessionStore, port: int, service: Service
    ) -> None:
        self.store = store
        self.host = ServiceHost(service, replace(infrastructure, sessions=store), "127.0.0.1", port)

    async def send(
        self, method: str, path: str, body: object = None, session: str = "", **headers: str
    ) -> Answered:
        """Send a request of a client."""
        content = b"" if body is None else msgspec.json.encode(body)
        if content:
            headers.setdefault("Content_Type", JSON)
        if session:
            headers[HEADER.replace("-", "_")] = session
        async with asyncio.timeout(DEADLINE_S):
            made = request(method, f"/stateful/{path}", content, **headers)
            return Answered(await self.host.api.handle(made))


def replicated(shelf: Shelf, domain: str = "blue", idle_s: float = 1800.0) -> ReplicatedSessions:
    """Return the store of a node of a domain."""
    ports = shelf.infrastructure
    calls = CallPorts(ports.log, ports.clock, ports.ids, ports.callers)
    owners = {
        aggregate.name: RemoteAggregate(
            aggregate, OwnerForwarder(aggregate.name, ports.discovery, ports.transport), calls
        )
        for aggregate in (PARTS.session, PARTS.shared)
    }
    return ReplicatedSessions(
        PARTS,
        owners,
        domain=domain,
        idle_s=idle_s,
        ports=OwnerDependencies(ports.log, ports.ids, ports.clock, owner_meters()),
        copies=lambda parts, _partition: CopiedStates(parts, CopyFile(Path(":memory:"))),
    )


@asynccontextmanager
async def node(
    shelf: Shelf,
    number: int,
    store: SessionStore | None = None,
    service: Service = STATEFUL,
    callers: Callers | None = None,
) -> AsyncIterator[SessionNode]:
    """Run a node until the block ends; by default of the domain blue."""
    store = store or replicated(shelf)
    infrastructure = replace(shelf.infrastructure, callers=callers or shelf.infrastructure.callers)
    made = SessionNode(infrastructure, store, 8200 + number, service)
    await store.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await made.host.start()
        yield made
    finally:
        await made.host.stop()
        await store.stop()


def without_domain(shelf: Shelf) -> ProcessSessions:
    """Return the store of a process without a domain."""
    return ProcessSessions(PARTS, 1800.0, shelf.clock)


def cluster(log: MemoryLog | None = None) -> Shelf:
    """Return the services of a domain."""
    return Shelf(log, services=SESSIONS)
