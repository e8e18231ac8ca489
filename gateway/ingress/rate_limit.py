"""The rate limiter: counts requests by client with the library `limits`, in memory or on a shared Redis."""

import asyncio
import math
import time
from typing import Any

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter

from bookshelf.http.problem import Problem
from gateway.ingress.client_address import client_key

#: The timeout of a shared counter, in seconds: a request does not wait longer to be counted.
_PATIENCE_S = 0.1
#: The least seconds between two log lines about an unreachable counter.
_SILENCE_S = 10.0

_logger = structlog.get_logger(__name__)


class BadRate(ValueError):
    """The rate or its storage is malformed; the message gives the reason."""


def _storage(where: str) -> Storage:
    if where == "memory":
        return MemoryStorage()
    # redis-py instead of the library's default driver
    return RedisStorage(f"async+{where}", implementation="redispy")


class ClientRateLimiter:
    """Limits the rate of each client. While a shared counter is unreachable, all requests are admitted."""

    def __init__(self, rate: str, storage: str = "memory") -> None:
        try:
            self._rate: RateLimitItem = parse(rate)
            kept = _storage(storage)
        except Exception as fault:
            raise BadRate(f"{rate!r} on {storage.partition('@')[2] or storage!r}: {fault}") from fault
        self._shared = storage != "memory"
        self._kept = kept
        self._limiter = FixedWindowRateLimiter(kept)
        self._silent_until = 0.0

    async def enter(self, peer: str) -> None:
        """Count a request. Raises `Problem` if it exceeds the rate."""
        key = client_key(peer)
        if not self._shared:
            fits = await self._limiter.hit(self._rate, key)
        else:
            fits = await self._asked(key)
        if not fits:
            msg = f"one client may send {self._rate}; try again later"
            raise Problem("too-many", msg, Retry_After=str(await self._wait_s(key)))

    async def close(self) -> None:
        """Close the connection to a shared counter."""
        if isinstance(self._kept, RedisStorage):
            bridge: Any = self._kept.bridge  # redis-py's; the library has no way to close it
            await bridge.get_connection().aclose()

    async def _asked(self, key: str) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._limiter.hit(self._rate, key)
        except Exception as fault:  # noqa: BLE001 (any error of the storage; it is logged)
            if time.monotonic() > self._silent_until:
                self._silent_until = time.monotonic() + _SILENCE_S
                _logger.warning("rate-storage-unreachable", why=type(fault).__name__)
            return True

    async def _wait_s(self, key: str) -> int:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                window = await self._limiter.get_window_stats(self._rate, key)
        except Exception:  # noqa: BLE001 (as above: one second is the fallback)
            return 1
        return max(1, math.ceil(window.reset_time - time.time()))
