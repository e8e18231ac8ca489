"""Elections within one process: leases are in its memory, and end by the event loop's clock."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec

from bookshelf.concurrency import Latest
from bookshelf.cqrs.errors import LeaseOver
from bookshelf.runtime.election.port import LEAST_TTL_S, MOST_TTL_S, HeldLock, Lease

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_lease(name: str, ttl_s: float) -> None:
    """Return if a lock may have this name, and a lease this time. Raises ValueError."""
    if _NAME.fullmatch(name) is None:
        msg = f"a lock's name has up to 128 letters, digits, points, hyphens, underscores: {name[:200]!r}"
        raise ValueError(msg)
    if not LEAST_TTL_S <= ttl_s <= MOST_TTL_S:
        msg = f"a lease lasts {LEAST_TTL_S:g} to {MOST_TTL_S:g} s, not {ttl_s:g}"
        raise ValueError(msg)


class _LocalLock:
    """One lock: its lease, if one lasts, and what its watchers see."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.seen: Latest[tuple[HeldLock | None]] = Latest()
        self.ending: asyncio.TimerHandle | None = None


class LocalElection:
    """Grants leases to the tasks of this process. Tokens begin at `first`, and grow over all locks."""

    def __init__(self, first: int = 0, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._tokens = count(first)
        self._ids = count()
        self._now = now
        self._locks: dict[str, _LocalLock] = {}

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        """Return a new lease; None if another one of this lock lasts. Raises ValueError."""
        check_lease(name, ttl_s)
        lock = self._lock(name)
        if lock.lease is not None and lock.lease.ends > self._clock():
            return None
        lease = Lease(
            name=name,
            holder=holder,
            id=f"local-{next(self._ids)}",
            token=next(self._tokens),
            ttl_s=ttl_s,
            ends=self._clock() + ttl_s,
        )
        self._put(lock, lease)
        return lease

    async def renew(self, lease: Lease) -> Lease:
        """Return the lease with a later end. Raises `LeaseOver`."""
        lock = self._lock(lease.name)
        if lock.lease is None or lock.lease.id != lease.id or lock.lease.ends <= self._clock():
            raise LeaseOver(f"the lease of {lease.name} has ended")
        renewed = msgspec.structs.replace(lease, ends=self._clock() + lease.ttl_s)
        self._put(lock, renewed)
        return renewed

    async def release(self, lease: Lease) -> None:
        """End the lease; nothing happens if it has ended already."""
        lock = self._lock(lease.name)
        if lock.lease is not None and lock.lease.id == lease.id:
            self._put(lock, None)

    async def watch(self, name: str) -> AsyncIterator[HeldLock | None]:
        """Yield the holder of a lock, None if it is free, then each change."""
        async for (held,) in self._lock(name).seen.each():
            yield held

    def _lock(self, name: str) -> _LocalLock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = _LocalLock()
            self._put(lock, None)
        return lock

    def _put(self, lock: _LocalLock, lease: Lease | None) -> None:
        lock.lease = lease
        if lock.ending is not None:
            lock.ending.cancel()
            lock.ending = None
        if lease is None:
            lock.seen.put((None,))
            return
        lock.ending = asyncio.get_running_loop().call_at(lease.ends, self._put, lock, None)
        until = self._now() + timedelta(seconds=lease.ends - self._clock())
        lock.seen.put((HeldLock(lease.name, lease.holder, lease.token, until, lease.ttl_s),))

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()
