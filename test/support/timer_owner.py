"""`python -m support.timer_owner BROKER PREFIX FOLDER`: an owner of timers on Kafka, by the real clock."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from support.counter_context import TOPIC
from support.fixed_infrastructure import owner_meters
from support.kafka_log import settings
from support.timers import TIMER

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import Topic
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import SqliteStateStore
from bookshelf.runtime.clock import SystemClock, SystemIds
from bookshelf.runtime.logs import configure

PARTITIONS = 2


async def main(broker: str, prefix: str, folder: Path) -> None:
    """Print that it is ready, then carry out deadlines until killed."""

    def states(aggregate: Aggregate[Any], partition: int) -> StateCache:
        return StateCache(aggregate, SqliteStateStore(folder / f"{partition}.sqlite"), None)

    configure("warning", "json")
    log = await KafkaLog.open(settings(broker, prefix=prefix, partitions=PARTITIONS), [Topic(TOPIC)])
    clock = SystemClock()
    await AggregateHost(
        TIMER, OwnerDependencies(log, SystemIds(clock), clock, owner_meters()), states
    ).start()
    print("ready", flush=True)  # noqa: T201 (the test waits for it)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
