"""Tests of processes run over the log in memory and on disk; those with `any_log` on Kafka, too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.charging import CHARGING_TOPICS
from support.faulty import FaultyLog
from support.kafka_log import kafka_log

from bookshelf.log.memory import MemoryLog
from bookshelf.log.sqlite.log import SqliteLog

PARTITIONS = 2


async def open_log(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[FaultyLog]:
    """Yield the log of the fixture's parameter."""
    if request.param == "memory":
        yield FaultyLog(MemoryLog(PARTITIONS))
    elif request.param == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        async with kafka_log(broker.address, *CHARGING_TOPICS, partitions=PARTITIONS) as there:
            yield FaultyLog(there)
    else:
        opened = await SqliteLog.open(folder / "log.sqlite", PARTITIONS)
        yield FaultyLog(opened)
        await opened.close()


@pytest.fixture(params=["memory", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FaultyLog]:
    async for opened in open_log(request, tmp_path):
        yield opened


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.needs("kafka"))])
async def any_log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FaultyLog]:
    async for opened in open_log(request, tmp_path):
        yield opened
