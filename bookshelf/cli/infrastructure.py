"""Puts together the infrastructure of a process: what is alike everywhere, around the ports that differ."""

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bookshelf.cli.blobs import open_blobs
from bookshelf.cli.elections import open_locks
from bookshelf.config import PhotoSettings, Settings, load
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import Transport
from bookshelf.http.message import Handler
from bookshelf.log.port import Log
from bookshelf.media.hot_blobs import HotBlobs
from bookshelf.media.pool import PictureWorkers
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.clock import Clock, SystemIds
from bookshelf.runtime.infrastructure import Infrastructure, Listen, sqlite_states
from bookshelf.runtime.sealing import Seals
from bookshelf.storage.port import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPorts:
    """The ports that differ: all services in one process have others than a service among many processes.

    `partitions`: of each topic. `node`: the name of the process as a holder of locks, empty for one without
    a name. `alone`: there are no other processes.
    """

    log: Log
    discovery: Discovery
    storage: Storage
    transport: Transport
    listen: Listen
    api: Handler
    callers: Callers
    clock: Clock
    seals: Seals
    partitions: int
    node: str
    alone: bool


async def assemble_infrastructure(
    opened: OpenedPorts, settings: Settings, path: Path, stack: AsyncExitStack
) -> Infrastructure:
    """Return the infrastructure of a process whose files are in a folder; the stack closes it.

    Raises `WrongSetting`.
    """
    pictures = PictureWorkers(load(PhotoSettings, os.environ).photos_workers)
    stack.push_async_callback(pictures.close)
    ids, partitions = SystemIds(opened.clock), opened.partitions
    locks = await open_locks(
        opened.discovery, opened.transport, opened.callers, ids, stack, opened.node, alone=opened.alone
    )
    states = sqlite_states(
        path / "state", partitions, settings.cached(partitions), settings.command_memory_h, stack
    )
    return Infrastructure(
        log=opened.log,
        discovery=opened.discovery,
        storage=opened.storage,
        transport=opened.transport,
        listen=opened.listen,
        states=states,
        clock=opened.clock,
        ids=ids,
        api=opened.api,
        callers=opened.callers,
        blobs=HotBlobs(open_blobs(settings)),
        pictures=pictures,
        folder=path,
        seals=opened.seals,
        locks=locks,
    )
