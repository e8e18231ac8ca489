"""Opens the leases of a process, after the setting `cluster_domain`."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from bookshelf.cluster.settings import ClusterSettings
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import load
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import Transport
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.clock import Ids
from bookshelf.runtime.election.leases import Locks
from bookshelf.runtime.election.local import LocalElection
from bookshelf.runtime.election.lock_service import LockService
from bookshelf.runtime.election.log import LogElection
from bookshelf.runtime.election.port import HeldLock, Lease


class NoElection:
    """Stands for elections where several processes run without a domain: it grants nothing."""

    async def acquire(self, name: str, _holder: str, _ttl_s: float) -> Lease | None:
        """Raise LookupError."""
        msg = f"the lock {name} is for one process only unless all are in a domain: set cluster_domain"
        raise LookupError(msg)

    async def renew(self, lease: Lease) -> Lease:
        """Return the lease: there is none."""
        return lease

    async def release(self, lease: Lease) -> None:
        """Return: there is no lease."""

    async def watch(self, _name: str) -> AsyncIterator[HeldLock | None]:
        """Yield that the lock is free."""
        yield None


async def open_locks(  # noqa: PLR0913 (what leases stand on)
    discovery: Discovery,
    transport: Transport,
    callers: Callers,
    ids: Ids,
    stack: AsyncExitStack,
    node: str,
    *,
    alone: bool,
) -> Locks:
    """Return the leases of this process, which others see as one of `node`; the stack closes them.

    In a domain they are on the log. Without one, a process that is `alone` grants them to itself, with tokens
    that grow from one start to the next: milliseconds since 1970.
    """
    settings = load(ClusterSettings, os.environ)
    if not settings.cluster_domain:
        election = LocalElection(int(time.time() * 1000)) if alone else NoElection()
        return Locks(election, ids.new(), primary_s=settings.cluster_primary_s)
    from bookshelf.cluster.node import node_name  # noqa: PLC0415 (only processes of a domain need it)

    on_log = LogElection(LockService(discovery, transport, callers), ids.new)
    following = asyncio.create_task(on_log.run(), name="locks")
    stack.push_async_callback(cancel_and_wait, following)
    locks = Locks(on_log, ids.new(), settings.cluster_domain, settings.cluster_primary_s)
    if node:
        locks.name_after(node_name(node))
    return locks
