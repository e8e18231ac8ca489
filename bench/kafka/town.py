"""Names of one's own on a broker, instances of services under them, and their end."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from uuid import uuid4

import msgspec

from bench import library
from bench.measurement import BenchFault, Plan
from bench.server import READY_S, end
from bookshelf.cli.instance import instance_folder
from bookshelf.cli.loop import collect_rarely
from bookshelf.cli.networked import kafka, open_world, topics
from bookshelf.config import Network, Settings
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.partition import partition_of
from bookshelf.runtime.data_folder import InstanceNote, running
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.shelf.events import TOPIC

#: Records in one append of a filled log.
_BATCH = 5000


class Town:
    """Topics that no one else has, with so many partitions; instances run on folders below `folder`."""

    def __init__(self, broker: str, partitions: int, folder: Path) -> None:
        prefix = f"bench-{uuid4().hex[:8]}."
        self.network = Network(broker=broker, kafka_prefix=prefix, kafka_partitions=partitions)
        self.folder = folder

    async def fill(self, books: int) -> None:
        """Append what adding so many books, and finishing some, has written."""
        log = await KafkaLog.open(kafka(self.network), topics())
        count = self.network.kafka_partitions
        pens = [await log.writer(f"bench-{partition}", TOPIC, partition) for partition in range(count)]
        waiting = library.records(books)
        while batch := list(islice(waiting, _BATCH)):
            where = [partition_of(record.key, count) for record in batch]
            parts = ([r for r, at in zip(batch, where, strict=True) if at == n] for n in range(count))
            await asyncio.gather(*(pen.append(part) for pen, part in zip(pens, parts, strict=True)))
        await log.close()

    @asynccontextmanager
    async def world(self, name: str) -> AsyncIterator[Infrastructure]:
        """Open what services stand on, in this process, with a folder of that name."""
        collect_rarely()  # as `bookshelf run` does
        async with AsyncExitStack() as stack:
            path = self.folder / name
            settings = Settings(data=str(path))
            yield await open_world(settings, self.network, path, stack, alone)

    @asynccontextmanager
    async def instance(self, service: str) -> AsyncIterator[InstanceNote]:
        """Run an instance in a process of its own until the block ends. Raises `BenchFault`."""
        network = msgspec.structs.replace(self.network, id=f"{service}-bench")
        settings = Settings(data=str(self.folder), port=0, log_level="error")
        told = msgspec.json.encode((service, settings, network)).decode()
        command = (sys.executable, "-m", "bench.kafka.instance", told)
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
        try:
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            async with asyncio.timeout(READY_S):
                await process.stdout.readline()
            note = running(instance_folder(settings, network.id))
            if note is None:
                msg = f"an instance of {service} did not start; what it said is above"
                raise BenchFault(msg)
            yield note
        finally:
            await end(process)

    async def close(self) -> None:
        """Take the topics away."""
        settings = kafka(self.network)
        admin = Clients(settings).admin()
        await admin.start()
        try:
            await admin.delete_topics([settings.prefix + topic.name for topic in topics()])
        finally:
            await admin.close()


async def alone(_network: Network, _stack: AsyncExitStack) -> LocalDiscovery:
    """Open discovery for an instance that no other one looks for: without an agent."""
    return LocalDiscovery()


@asynccontextmanager
async def town(plan: Plan, folder: Path, partitions: int = 8) -> AsyncIterator[Town]:
    """Make names for a while."""
    made = Town(plan.broker, partitions, folder)
    try:
        yield made
    finally:
        await made.close()
