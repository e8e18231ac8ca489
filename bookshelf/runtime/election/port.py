"""The port of elections. Every adapter passes the same contract (test/contract/election_contract.py).

A lease is a lock that ends by itself unless its holder renews it. Its fencing token grows from lease to lease
of one lock; what the lock protects refuses a token that is lower than one it has seen.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

import msgspec

#: The least and the most seconds of a lease, and the form of a lock's name.
LEAST_TTL_S, MOST_TTL_S = 0.1, 86_400.0


class ElectionFault(Exception):
    """The service of locks cannot be reached or does not answer; whether it did something is unknown."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One lease of a lock. `id` is unique; `token` is its fencing token.

    `ends` is when it ends unless it is renewed, in seconds of the event loop's clock, which is monotonic. It
    is counted from the moment before the request was sent, so it is never later than for others.
    """

    name: str
    holder: str
    id: str
    token: int
    ttl_s: float
    ends: float


class HeldLock(msgspec.Struct, frozen=True):
    """A lock that is held, as others see it. `until`: by the clock of the lock's owner."""

    name: str
    holder: str
    token: int
    until: datetime
    ttl_s: float


class Election(Protocol):
    """Grants leases of locks."""

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        """Return a new lease; None if another one of this lock lasts.

        Raises `ElectionFault`, and ValueError for a name or a time that is not allowed.
        """

    async def renew(self, lease: Lease) -> Lease:
        """Return the lease with a later end. Raises `LeaseOver`, `ElectionFault`."""

    async def release(self, lease: Lease) -> None:
        """End the lease; nothing happens if it has ended already. Raises `ElectionFault`."""

    def watch(self, name: str) -> AsyncIterator[HeldLock | None]:
        """Yield the holder of a lock, None if it is free, then each change.

        A slow reader skips to the newest.
        """
