"""`python -m support.rogue_owner`: a newbook that is in no group, and takes every partition for its own.

It is never run so. It stands for any cause of two writers of one partition: two groups, a partitioned
network, an operator's mistake.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from bookshelf.cli.instance import make_infrastructure
from bookshelf.config import read, read_network
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.port import Change
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES


class RogueLog(KafkaLog):
    """A log whose groups assign every partition to each member."""

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> "EveryPartition":  # type: ignore[override]  # noqa: ARG002
        everything = EveryPartition(frozenset(range(self.partitions(topic))), revoked)
        await assigned(everything.partitions)
        return everything


class EveryPartition:
    """All partitions, until this process ends."""

    def __init__(self, partitions: frozenset[int], revoked: Change) -> None:
        self.partitions = partitions
        self._revoked = revoked

    async def leave(self) -> None:
        await self._revoked(self.partitions)


async def main(broker: str, consul: str, data: Path) -> None:
    """Serve until killed."""
    settings = read(os.environ, data=str(data), port=0)
    network = read_network(os.environ, broker=broker, consul=consul)
    async with AsyncExitStack() as stack:
        infrastructure = await make_infrastructure(settings, network, data, stack)
        assert isinstance(infrastructure.log, KafkaLog)
        infrastructure.log.__class__ = RogueLog
        [newbook] = [service for service in SERVICES if service.name == "newbook"]
        host = ServiceHost(newbook, replace(infrastructure), settings.host, settings.port)
        await host.start()
        print(f"newbook is ready at http://127.0.0.1:{host.port}", flush=True)  # noqa: T201 (the fleet reads it)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
