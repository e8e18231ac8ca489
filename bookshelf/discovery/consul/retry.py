"""Waiting for an agent that is not there yet, or has no leader yet."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bookshelf.discovery.consul.agent import is_transient
from bookshelf.discovery.port import DiscoveryFault

#: Seconds before the first new try, doubled with every one, up to the last.
_FIRST_S = 0.1
_LAST_S = 2.0
_logger = structlog.get_logger(__name__)


async def retry_until_reached(work: Callable[[], Awaitable[None]], patience_s: float) -> None:
    """Do the work, again as long as time may mend its fault. Raises the last `DiscoveryFault`."""
    now = asyncio.get_running_loop().time
    end, wait_s = now() + patience_s, _FIRST_S
    while True:
        try:
            return await work()
        except DiscoveryFault as fault:
            if not is_transient(fault) or now() + wait_s > end:
                raise
            _logger.warning("waiting-for-consul", why=str(fault), again_in_s=wait_s)
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LAST_S)
