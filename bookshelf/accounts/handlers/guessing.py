"""Counts failed sign-ins, so that passwords cannot be guessed and the holder of an account is not locked out.

A device that has signed in before has a budget of its own, apart from the guesses of others (ASVS 6.3.1).
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

import structlog

#: Seconds for which failures are counted, and registrations.
WINDOW_S, HOUR_S = 900, 3600
#: Failures until sign-in is refused: of an account from one network or device; of a network; of an account.
PAIR_MAX, NETWORK_MAX, ACCOUNT_MAX = 10, 100, 100
#: Registrations of a network in an hour.
REGISTRATIONS_MAX = 20
#: Counters in memory; beyond that the oldest are dropped.
_KEPT = 100_000
_REDIS_S = 0.25

_logger = structlog.get_logger(__name__)


class Counters(Protocol):
    """Counts by key, each for a time that begins with its first count."""

    async def add(self, key: str, window_s: int) -> int:
        """Count one more, and return the count."""

    async def get(self, key: str) -> int:
        """Return the count; 0 once its time is over."""


class MemoryCounters:
    """Counters of this process. `now` returns seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def add(self, key: str, window_s: int) -> int:
        """Count one more, and return the count."""
        end, count = self._counts.get(key, (0.0, 0))
        if end <= self._now():
            end, count = self._now() + window_s, 0
            self._counts.pop(key, None)
        self._counts[key] = (end, count + 1)
        if len(self._counts) > _KEPT:
            self._counts.popitem(last=False)
        return count + 1

    async def get(self, key: str) -> int:
        """Return the count; 0 once its time is over."""
        end, count = self._counts.get(key, (0.0, 0))
        return count if end > self._now() else 0


class RedisCounters:
    """Counters in Redis, which all instances share; while it cannot be reached, those of this process.

    `client` is a client of redis.asyncio.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 (the extra may not be installed)
        self._client = client
        self._own = MemoryCounters()

    @classmethod
    def at(cls, url: str) -> Self:
        """Return counters in the Redis at a URL. Raises ModuleNotFoundError, ValueError."""
        from redis.asyncio import from_url  # noqa: PLC0415 (an extra)

        return cls(from_url(url, socket_timeout=_REDIS_S, socket_connect_timeout=_REDIS_S))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def add(self, key: str, window_s: int) -> int:
        """Count one more, and return the count."""
        try:
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.incr(key)
                pipe.expire(key, window_s, nx=True)
                count, _ = await pipe.execute()
        except Exception as fault:  # noqa: BLE001 (any error of the storage; it is logged)
            _logger.warning("guess-counters-unreachable", why=type(fault).__name__)
            return await self._own.add(key, window_s)
        return int(count)

    async def get(self, key: str) -> int:
        """Return the count; 0 once its time is over."""
        try:
            return int(await self._client.get(key) or 0)
        except Exception as fault:  # noqa: BLE001 (as above)
            _logger.warning("guess-counters-unreachable", why=type(fault).__name__)
            return await self._own.get(key)


class SignInAttempt(NamedTuple):
    """A sign-in: the account, or the claim of an unknown login; the network; the device if it is known."""

    account: str
    network: str
    device: str | None = None


class GuessLimits:
    """Decides whether a sign-in is tried, and counts those that fail."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    async def is_network_blocked(self, network: str) -> bool:
        """Return True if the network has failed too often, whatever the account."""
        return await self._counters.get(f"guess:n:{network}") >= NETWORK_MAX

    async def is_locked(self, attempt: SignInAttempt) -> bool:
        """Return True if this sign-in fails whatever the password is."""
        if attempt.device is not None:
            return await self._counters.get(_pair(attempt)) >= PAIR_MAX
        if await self._counters.get(_pair(attempt)) >= PAIR_MAX:
            return True
        return await self._counters.get(f"guess:a:{attempt.account}") >= ACCOUNT_MAX

    async def note_failure(self, attempt: SignInAttempt) -> None:
        """Count a failed sign-in; that of a known device counts against the device alone."""
        await self._counters.add(_pair(attempt), WINDOW_S)
        if attempt.device is None:
            await self._counters.add(f"guess:n:{attempt.network}", WINDOW_S)
            await self._counters.add(f"guess:a:{attempt.account}", WINDOW_S)

    async def may_register(self, network: str) -> bool:
        """Count a registration; return False if the network had too many in this hour."""
        return await self._counters.add(f"register:{network}", HOUR_S) <= REGISTRATIONS_MAX


def _pair(attempt: SignInAttempt) -> str:
    if attempt.device is not None:
        return f"guess:d:{attempt.account}:{attempt.device}"
    return f"guess:p:{attempt.account}:{attempt.network}"
