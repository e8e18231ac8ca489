"""An open log of either kind that is written here, and the command line options that read it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from support.kafka_log import kafka_log
from support.logfile import event
from support.process import Process, bookshelf

from bookshelf.log.port import Log, NewRecord, partition_of
from bookshelf.log.sqlite.log import SqliteLog

TOPIC = "bookshelf"
PARTITIONS = 2


class Watched:
    """The log, with two partitions, and its place as arguments and environment."""

    def __init__(self, log: Log, args: tuple[str, ...], env: Mapping[str, str]) -> None:
        self.log = log
        self.args = args
        self.env = env

    async def write(self, key: str, title: str, minute: int = 0) -> str:
        """Append an event of 2024-01-01, so many minutes after midnight; return its position."""
        output = msgspec.json.decode(event("shelf.book-added.v1", key, {"title": title}))
        output["time"] = f"2024-01-01T00:{minute:02}:00Z"
        return await self.write_raw(key, msgspec.json.encode(output))

    async def write_raw(self, key: str, value: bytes) -> str:
        """Append a record, whatever is in it; return its position."""
        partition = partition_of(key, PARTITIONS)
        writer = await self.log.writer("test", TOPIC, partition)
        [offset] = await writer.append([NewRecord(key, value)])
        return f"{TOPIC}/{partition}@{offset}"

    def output(self, *args: str) -> str:
        """Run a command of the program on this log; return what it printed."""
        return bookshelf(*args, *self.args, env=self.env).well

    def lines(self, *args: str) -> list[dict[str, Any]]:
        """Run `events` with --json; return its lines."""
        return [msgspec.json.decode(line) for line in self.output("events", *args, "--json").splitlines()]

    def complaint(self, *args: str) -> str:
        """Run a command that cannot be carried out; return its error line."""
        return bookshelf(*args, *self.args, env=self.env).complaint

    def process(self, *args: str) -> Process:
        """Start a command on this log."""
        return Process(*args, *self.args, env=self.env)


@asynccontextmanager
async def on_sqlite(data: Path) -> AsyncIterator[Watched]:
    """Open an embedded log, as a shelf that runs has it."""
    log = await SqliteLog.open(data / "log.sqlite", PARTITIONS)
    try:
        yield Watched(log, ("--data", str(data)), {})
    finally:
        await log.close()


@asynccontextmanager
async def on_kafka(address: str) -> AsyncIterator[Watched]:
    """Open a log on a broker, under names of its own."""
    prefix = f"test-{uuid4().hex[:8]}."
    async with kafka_log(address, TOPIC, prefix=prefix, partitions=PARTITIONS) as log:
        yield Watched(log, ("--broker", address), {"BOOKSHELF_KAFKA_PREFIX": prefix})
