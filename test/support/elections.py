"""Elections on the service `locks`, which runs in this process, and an election that can be cut off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.fixed_infrastructure import CountedIds
from support.shelf import Shelf

from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.concurrency import cancel_and_wait
from bookshelf.runtime.clock import Clock, SystemClock
from bookshelf.runtime.election.lock_service import LockService
from bookshelf.runtime.election.log import LogElection
from bookshelf.runtime.election.port import Election, ElectionFault, HeldLock, Lease

#: Seconds of a lease that outlasts every test, and of one that a test waits for the end of.
LONG_S, SHORT_S = 600.0, 0.3
LOCKS = [service for service in CLUSTER_SERVICES if service.name == "locks"]


def election_of(shelf: Shelf) -> LogElection:
    """Return an election on the service of a shelf, as a process of its own would have."""
    ports = shelf.infrastructure
    return LogElection(LockService(ports.discovery, ports.transport, ports.callers), CountedIds().new)


@asynccontextmanager
async def log_election(clock: Clock | None = None) -> AsyncIterator[tuple[Shelf, LogElection]]:
    """Run the service `locks`, and an election on it; the clock of the service moves unless one is given."""
    async with Shelf(services=LOCKS, clock=clock or SystemClock()) as shelf:
        election = election_of(shelf)
        following = asyncio.create_task(election.run())
        try:
            yield shelf, election
        finally:
            await cancel_and_wait(following)


class CutElection:
    """An election that cannot be reached while it is `cut`."""

    def __init__(self, election: Election) -> None:
        self._election = election
        self.cut = False

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        self._check()
        return await self._election.acquire(name, holder, ttl_s)

    async def renew(self, lease: Lease) -> Lease:
        self._check()
        return await self._election.renew(lease)

    async def release(self, lease: Lease) -> None:
        self._check()
        await self._election.release(lease)

    def watch(self, name: str) -> AsyncIterator[HeldLock | None]:
        return self._election.watch(name)

    def _check(self) -> None:
        if self.cut:
            msg = "it is cut off"
            raise ElectionFault(msg)
