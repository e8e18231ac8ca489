"""Every test of owners runs over every log, with states in memory and in files that threads write."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from support.counter_commands import ANSWERS, ORDERED
from support.counter_context import TOPIC
from support.faulty import FaultyLog
from support.kafka_log import kafka_log
from support.owners import Owners, sqlite_stores

from bookshelf.log.memory import MemoryLog
from bookshelf.log.sqlite.log import SqliteLog

PARTITIONS = 4


@pytest.fixture
def thread() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.needs("kafka"))])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FaultyLog]:
    if request.param == "memory":
        yield FaultyLog(MemoryLog(PARTITIONS))
        return
    if request.param == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        topics = (TOPIC, ORDERED.commands, ANSWERS)
        async with kafka_log(broker.address, *topics, partitions=PARTITIONS) as there:
            yield FaultyLog(there)
        return
    opened = await SqliteLog.open(tmp_path / "log.sqlite", PARTITIONS)
    yield FaultyLog(opened)
    await opened.close()


@pytest.fixture
async def owners(
    log: FaultyLog, request: pytest.FixtureRequest, tmp_path: Path, thread: Executor
) -> AsyncIterator[Owners]:
    in_memory = request.node.callspec.params["log"] == "memory"
    made = Owners(log) if in_memory else Owners(log, sqlite_stores(tmp_path / "state"), thread)
    async with made:
        yield made
