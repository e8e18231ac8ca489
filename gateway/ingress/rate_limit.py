"""How often one client may ask: the library `limits` counts, here or on a Redis that gateways share."""

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

#: Seconds that a shared counter may take; a request is not kept waiting for its bookkeeping.
_PATIENCE_S = 0.1
#: Seconds between two words about a counter that cannot be reached.
_SILENCE_S = 10.0

_logger = structlog.get_logger(__name__)


class BadRate(ValueError):
    """The rate is not written as it must be; says how."""


def _storage(where: str) -> Storage:
    if where == "memory":
        return MemoryStorage()
    # redis-py, and not the driver that the library takes unless it is told
    return RedisStorage(f"async+{where}", implementation="redispy")


class ClientRateLimiter:
    """A rate for each client. A counter that cannot be reached lets everyone in: it must not be the end."""

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
        """Count a request. Raises `Problem` if it is one too many."""
        key = client_key(peer)
        if not self._shared:
            fits = await self._limiter.hit(self._rate, key)
        else:
            fits = await self._asked(key)
        if not fits:
            msg = f"one client may send {self._rate}; come again later"
            raise Problem("too-many", msg, Retry_After=str(await self._wait_s(key)))

    async def close(self) -> None:
        """Let the connection to the counter go."""
        if isinstance(self._kept, RedisStorage):
            bridge: Any = self._kept.bridge  # redis-py's; the library has no way to close it
            await bridge.get_connection().aclose()

    async def _asked(self, key: str) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._limiter.hit(self._rate, key)
        except Exception as fault:  # noqa: BLE001 (whatever the storage raises; said in the log)
            if time.monotonic() > self._silent_until:
                self._silent_until = time.monotonic() + _SILENCE_S
                _logger.warning("rate-storage-unreachable", why=type(fault).__name__)
            return True

    async def _wait_s(self, key: str) -> int:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                window = await self._limiter.get_window_stats(self._rate, key)
        except Exception:  # noqa: BLE001 (as above: a second is as good a guess)
            return 1
        return max(1, math.ceil(window.reset_time - time.time()))
