"""Elections on the log: the lock's aggregate decides, and the offset of its record is the fencing token."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import msgspec

from bookshelf.cqrs.errors import LeaseOver
from bookshelf.runtime.election.local import check_lease
from bookshelf.runtime.election.lock_service import HeldLocks, LockService
from bookshelf.runtime.election.port import HeldLock, Lease

#: By how much longer than its time a lease must have been seen unchanged, as clocks differ in their rates.
_MARGIN = 1.05


class _Seen(msgspec.Struct, frozen=True):
    until: datetime
    ttl_s: float
    since: float


class LogElection:
    """Grants leases by the service `locks`. `run` follows the locks that are held."""

    def __init__(
        self, service: LockService, new_id: Callable[[], str], held: HeldLocks | None = None
    ) -> None:
        self.service = service
        self._new_id = new_id
        self.held = held or HeldLocks(service)
        #: The leases that others hold, with the time since which each was seen unchanged.
        self._seen: dict[str, _Seen] = {}

    async def run(self) -> None:
        """Follow the locks that are held, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.held.run())
            tasks.create_task(self._note())

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        """Return a new lease; None if another one of this lock lasts. Raises `ElectionFault`, ValueError."""
        check_lease(name, ttl_s)
        lease, sent = self._new_id(), self._clock()
        body: dict[str, object] = {"holder": holder, "lease": lease, "ttl_s": ttl_s}
        if (seen := self._unchanged(name)) is not None:
            body["seen"] = seen
        token = await self.service.command(name, "acquire", body, lease, sent + ttl_s)
        if token is None:
            return None
        return Lease(name=name, holder=holder, id=lease, token=token, ttl_s=ttl_s, ends=sent + ttl_s)

    async def renew(self, lease: Lease) -> Lease:
        """Return the lease with a later end. Raises `LeaseOver`, `ElectionFault`."""
        sent = self._clock()
        if sent >= lease.ends:
            raise LeaseOver(f"the lease of {lease.name} has ended")
        body = {"lease": lease.id}
        if await self.service.command(lease.name, "renew", body, self._new_id(), lease.ends) is None:
            raise LeaseOver(f"the lease of {lease.name} has ended")
        return msgspec.structs.replace(lease, ends=sent + lease.ttl_s)

    async def release(self, lease: Lease) -> None:
        """End the lease; nothing happens if it has ended already. Raises `ElectionFault`."""
        body, key = {"lease": lease.id}, f"release-{lease.id}"
        await self.service.command(lease.name, "release", body, key, max(lease.ends, self._clock() + 1))

    async def watch(self, name: str) -> AsyncIterator[HeldLock | None]:
        """Yield the holder of a lock, None if it is free, then each change."""
        before: tuple[HeldLock | None] | None = None
        async for held in self.held.latest.each():
            now = (held.get(name),)
            if now != before:
                before = now
                yield now[0]

    def _unchanged(self, name: str) -> datetime | None:
        """Return the end of a lease that was seen unchanged for longer than it lasts, else None."""
        seen = self._seen.get(name)
        if seen is None or self._clock() - seen.since < _MARGIN * seen.ttl_s:
            return None
        return seen.until

    async def _note(self) -> None:
        async for held in self.held.latest.each():
            former, self._seen = self._seen, {}
            for name, lock in held.items():
                seen = former.get(name)
                is_same = seen is not None and seen.until == lock.until
                self._seen[name] = seen if is_same and seen else _Seen(lock.until, lock.ttl_s, self._clock())

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()
