"""Keeps a lease renewed around a block of code, and cancels the block when the lease has ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.errors import LeaseOver
from bookshelf.runtime.election.port import Election, ElectionFault, Lease

#: The parts of its time after which a lease is renewed, and after which a fault is followed by another try.
_RENEWED, _AGAIN = 1 / 3, 1 / 10
#: Seconds before a lock is asked for that seems to be free: what is known of it may be late.
_LATE_S = 0.02
#: The seconds of the lease of a primary.
PRIMARY_S = 5.0
_logger = structlog.get_logger(__name__)


class Locks:
    """Leases for the tasks of one holder, in the names of one domain.

    `holder` names this process to others, and is no secret. `primary_s`: the seconds of a primary's lease.
    """

    def __init__(
        self, election: Election, holder: str, domain: str = "", primary_s: float = PRIMARY_S
    ) -> None:
        self.election = election
        self.holder = holder
        self.domain = domain
        self.primary_s = primary_s
        #: What the services of a group in this process share, by group: see `candidate_for`.
        self.candidates: dict[str, Any] = {}

    def name_after(self, node: str) -> None:
        """Let others see this process as one of a node of the domain: `NODE/PROCESS`; the first name counts.

        A node without a name of its own has one only once it listens.
        """
        if "/" not in self.holder:
            self.holder = f"{node}/{self.holder}"

    def name_of(self, name: str) -> str:
        """Return the name of a lock of this domain, as all domains see it."""
        return f"{self.domain}.{name}" if self.domain else name

    @asynccontextmanager
    async def acquire(self, name: str, ttl_s: float = 30.0) -> AsyncIterator[int]:
        """Wait for a lock and hold it for the block; the value is the fencing token of the lease.

        The lease is renewed every third of `ttl_s`. If it ends nevertheless, the block is cancelled, and
        `LeaseOver` is raised at its end: from then on another may hold the lock, and what the block sends
        must name the token, so that it is refused. Raises ValueError for a name or a time that is not
        allowed.
        """
        lease = await self._granted(self.name_of(name), ttl_s)
        try:
            async with self._kept(lease):
                yield lease.token
        finally:
            with suppress(ElectionFault):
                await self.election.release(lease)

    @asynccontextmanager
    async def _kept(self, lease: Lease) -> AsyncIterator[None]:
        limit = asyncio.timeout_at(lease.ends)
        try:
            async with limit:
                renewing = asyncio.create_task(self._renew(lease, limit))
                try:
                    yield
                finally:
                    await cancel_and_wait(renewing)
        except TimeoutError:
            if not limit.expired():
                raise
            raise LeaseOver(f"the lease of {lease.name} has ended; its work was stopped") from None

    async def _granted(self, name: str, ttl_s: float) -> Lease:
        """Return a lease as soon as the lock is free. Faults are logged, and followed by another try."""
        clock = asyncio.get_running_loop().time
        while True:
            try:
                lease = await self.election.acquire(name, self.holder, ttl_s)
            except ElectionFault as fault:
                _logger.warning("lock-unavailable", lock=name, why=str(fault))
                await asyncio.sleep(ttl_s * _AGAIN)
                continue
            if lease is None:
                await self._freed(name, ttl_s * _RENEWED)
            elif lease.ends > clock():
                return lease
            else:  # it was granted so late that it has ended
                with suppress(ElectionFault):
                    await self.election.release(lease)

    async def _freed(self, name: str, within_s: float) -> None:
        """Return once a lock is free, or after `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                async for held in self.election.watch(name):
                    if held is None:
                        await asyncio.sleep(_LATE_S)
                        return

    async def _renew(self, lease: Lease, limit: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        pause_s = lease.ttl_s * _RENEWED
        while True:
            await asyncio.sleep(pause_s)
            try:
                lease = await self.election.renew(lease)
            except LeaseOver:
                limit.reschedule(loop.time())
                return
            except ElectionFault as fault:
                _logger.warning("lease-not-renewed", lock=lease.name, why=str(fault))
                pause_s = lease.ttl_s * _AGAIN
            else:
                limit.reschedule(lease.ends)
                pause_s = lease.ttl_s * _RENEWED
