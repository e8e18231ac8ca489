"""Deadlines on a real Kafka whose owner is killed -9 while they fall due: another owner keeps the rest."""

import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from support.counter_context import TOPIC, said
from support.kafka import Broker
from support.kafka_log import kafka_log
from support.member import PATIENCE_S
from support.process import ROOT, environment
from support.timer_owner import PARTITIONS
from support.timers import WasSet, rung
from support.until import eventually

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.port import partition_of

MANY = 400
_PATH = f"{ROOT}:{ROOT / 'test'}"


@asynccontextmanager
async def timer_owner(broker: Broker, prefix: str, folder: Path) -> AsyncIterator[Process]:
    """An owner of timers in a process of its own, with its own stored states."""
    command = (sys.executable, "-m", "support.timer_owner", broker.address, prefix, str(folder))
    process = await create_subprocess_exec(
        *command, env=environment({"PYTHONPATH": _PATH}), stdin=DEVNULL, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def timed(log: KafkaLog, *timers: tuple[str, datetime]) -> None:
    """Set timers, as another service that writes to the same topic."""
    for partition in range(PARTITIONS):
        writer = await log.writer("another", TOPIC, partition)
        here = [one for one in timers if partition_of(one[0], PARTITIONS) == partition]
        await writer.append(
            [said(WasSet.TYPE, key, msgspec.json.encode(WasSet(when=when))) for key, when in here]
        )


async def have_rung(log: KafkaLog, many: int) -> None:
    async def enough() -> bool:
        return len(await rung(log)) >= many

    await eventually(enough, f"{many} have rung", PATIENCE_S)


@pytest.mark.needs("kafka")
async def test_deadlines_are_carried_out_once_across_kill_9(kafka_broker: Broker, tmp_path: Path) -> None:
    prefix = f"test-{uuid4().hex[:8]}."
    async with (
        kafka_log(kafka_broker.address, TOPIC, prefix=prefix, partitions=PARTITIONS) as log,
        timer_owner(kafka_broker, prefix, tmp_path / "dies") as dies,
        timer_owner(kafka_broker, prefix, tmp_path / "stays"),
    ):
        first = datetime.now(UTC) + timedelta(seconds=1)
        await timed(log, *((f"timer-{n}", first + n * timedelta(milliseconds=5)) for n in range(MANY)))
        await have_rung(log, MANY // 4)
        dies.kill()
        await have_rung(log, MANY)
        # a second execution would happen before these
        later = [(f"later-{n}", datetime.now(UTC)) for n in range(20)]
        await timed(log, *later)
        await have_rung(log, MANY + len(later))
        assert set((await rung(log)).values()) == {1}
        assert len(await rung(log)) == MANY + len(later)
