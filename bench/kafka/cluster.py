"""Temporary topics on a broker, and instances of services that use them."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from uuid import uuid4

import msgspec

from bench import sample_books
from bench.measurement import BenchFault, Plan
from bench.server import READY_S, end
from bookshelf.cli.command import collect_rarely
from bookshelf.cli.instance import make_infrastructure, topics
from bookshelf.config import InstanceSettings, Network, Settings
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.port import partition_of
from bookshelf.runtime.data_folder import InstanceNote, running
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.shelf.events import TOPIC
from bookshelf.storage.postgres.settings import PostgresSettings

#: Records in one append of a filled log.
_BATCH = 5000


class BenchCluster:
    """Topics with a prefix of their own; instances keep their data in folders below `folder`."""

    def __init__(self, broker: str, partitions: int, folder: Path) -> None:
        prefix = f"bench-{uuid4().hex[:8]}."
        self.network = Network(kafka=KafkaSettings(bootstrap=broker, prefix=prefix, partitions=partitions))
        self.folder = folder

    async def fill(self, books: int) -> None:
        """Append the records of adding so many books and finishing some of them."""
        log = await KafkaLog.open(self.network.kafka, topics())
        count = self.network.kafka.partitions
        writers = [await log.writer(f"bench-{partition}", TOPIC, partition) for partition in range(count)]
        waiting = sample_books.records(books)
        while batch := list(islice(waiting, _BATCH)):
            where = [partition_of(record.key, count) for record in batch]
            parts = ([r for r, at in zip(batch, where, strict=True) if at == n] for n in range(count))
            await asyncio.gather(*(writer.append(part) for writer, part in zip(writers, parts, strict=True)))
        await log.close()

    @asynccontextmanager
    async def infrastructure(self, name: str) -> AsyncIterator[Infrastructure]:
        """Open the infrastructure of services in this process, with a folder of that name."""
        collect_rarely()  # as `bookshelf run` does
        async with AsyncExitStack() as stack:
            path = self.folder / name
            settings = Settings(data=str(path))
            yield await make_infrastructure(settings, self.network, path, stack, alone)

    @asynccontextmanager
    async def instance(self, service: str, storage: str = "") -> AsyncIterator[InstanceNote]:
        """Run an instance in a process of its own until the block ends. Raises `BenchFault`.

        With `storage`, the address of a database, it has its views and the keyring there.
        """
        network = msgspec.structs.replace(self.network, instance=InstanceSettings(id=f"{service}-bench"))
        network = msgspec.structs.replace(network, storage=PostgresSettings(url=storage))
        secret = str(self.folder / "secret") if storage else ""
        settings = Settings(data=str(self.folder), port=0, log_level="error", accounts_secret_file=secret)
        arguments = msgspec.json.encode((service, settings, network)).decode()
        command = (sys.executable, "-m", "bench.kafka.instance", arguments)
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
        try:
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            async with asyncio.timeout(READY_S):
                await process.stdout.readline()
            note = running(settings.instance_folder(network.instance.id))
            if note is None:
                msg = f"an instance of {service} did not start; its own message is above"
                raise BenchFault(msg)
            yield note
        finally:
            await end(process)

    async def close(self) -> None:
        """Delete the topics."""
        settings = self.network.kafka
        admin = Clients(settings).admin()
        await admin.start()
        try:
            await admin.delete_topics([settings.prefix + topic.name for topic in topics()])
        finally:
            await admin.close()


async def alone(_network: Network, _stack: AsyncExitStack) -> LocalDiscovery:
    """Return a discovery without an agent, for an instance that no other one needs to find."""
    return LocalDiscovery()


@asynccontextmanager
async def open_cluster(plan: Plan, folder: Path, partitions: int = 8) -> AsyncIterator[BenchCluster]:
    """Provide the topics for the duration of the block, then delete them."""
    cluster = BenchCluster(plan.broker, partitions, folder)
    try:
        yield cluster
    finally:
        await cluster.close()
