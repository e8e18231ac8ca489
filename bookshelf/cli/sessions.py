"""Opens what keeps the sessions of clients: with a domain the log, else this process."""

import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from bookshelf.cluster.session_parts import PARTS
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import Settings, load
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import SessionRoute
from bookshelf.runtime.agent.copied_states import sqlite_copies
from bookshelf.runtime.agent.sessions import ReplicatedSessions
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.api.forwarding import OwnerForwarder
from bookshelf.runtime.api.remote_aggregate import CallPorts, RemoteAggregate
from bookshelf.runtime.api.session_store import ProcessSessions, SessionStore
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.metrics import Meters


def has_session_routes(service: Service) -> bool:
    """Return True if a service has routes with sessions."""
    return any(isinstance(route, SessionRoute) for route in service.serves)


async def with_sessions(
    infrastructure: Infrastructure,
    services: Sequence[Service],
    settings: Settings,
    path: Path,
    stack: AsyncExitStack,
) -> Infrastructure:
    """Return the infrastructure with a store of sessions, if any of the services has routes with sessions."""
    if not any(has_session_routes(service.loaded()) for service in services):
        return infrastructure
    cluster = load(ClusterSettings, os.environ)
    store: SessionStore
    if cluster.cluster_domain:
        store = _replicated(infrastructure, cluster, settings, path, stack)
    else:
        store = ProcessSessions(PARTS, cluster.cluster_session_idle_s, infrastructure.clock)
    stack.push_async_callback(store.stop)
    await store.start()
    return replace(infrastructure, sessions=store)


def _replicated(
    infrastructure: Infrastructure,
    cluster: ClusterSettings,
    settings: Settings,
    path: Path,
    stack: AsyncExitStack,
) -> ReplicatedSessions:
    log, ids, clock = infrastructure.log, infrastructure.ids, infrastructure.clock
    number = log.partitions(PARTS.session.topic)
    owners = {
        aggregate.name: RemoteAggregate(
            aggregate,
            OwnerForwarder(aggregate.name, infrastructure.discovery, infrastructure.transport),
            CallPorts(log, clock, ids, infrastructure.callers),
        )
        for aggregate in (PARTS.session, PARTS.shared)
    }
    return ReplicatedSessions(
        PARTS,
        owners,
        domain=cluster.cluster_domain,
        idle_s=cluster.cluster_session_idle_s,
        ports=OwnerDependencies(log, ids, clock, Meters().owner("session-copies")),
        copies=sqlite_copies(path / "sessions", number, settings.cached(number), stack),
    )
