"""Deletes the images that no photo names, once a day."""

import asyncio
from collections.abc import Collection

import structlog

from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.media.port import BlobFault
from bookshelf.media.sweep import sweep
from bookshelf.photos.images import NAMESPACE, VIEW, UnappliedRecords, named_digests

#: Seconds between two sweeps, and until the first one after a start.
DAY_S, FIRST_S = 24 * 3600.0, 600.0
_logger = structlog.get_logger(__name__)


async def sweep_images(ports: HandlerPorts) -> int:
    """Delete the images that no photo names and that were not put for a day; return their number.

    Raises `BlobFault`, `LogFault`, `StorageFault`, `NotCaughtUp`, `UnappliedRecords`.
    """

    async def named(digests: Collection[str]) -> Collection[str]:
        return await ports.query(VIEW, lambda db: named_digests(db, digests), to_end=True)

    swept = sweep(ports.blobs, NAMESPACE, named, ports.now().timestamp())
    return len([blob.name async for blob in swept])


async def sweep_daily(ports: HandlerPorts) -> None:
    """Sweep once a day, until cancelled."""
    wait_s = FIRST_S
    while True:
        await asyncio.sleep(wait_s)
        wait_s = DAY_S
        try:
            await sweep_images(ports)
        except (BlobFault, UnappliedRecords) as fault:
            _logger.warning("sweep-delayed", why=str(fault), again_in_s=wait_s)
