"""`bookshelf topics raise locks`: ends on Kafka go above a token, unless a domain is in use."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from support.instance import names_of_its_own
from support.kafka import Broker
from support.kafka_log import settings
from support.reserved_ports import reserved_ports

from bookshelf.cli.main import main
from bookshelf.cluster.lock_events import TOPIC, LockAcquired, LockReleased
from bookshelf.cqrs.message import Event
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import Topic
from bookshelf.log.port import NewRecord, partition_of

pytestmark = pytest.mark.needs("kafka")
LOCK = "blue.primary.counters"
PARTITION, OTHER = (partition_of(LOCK, 2), 1 - partition_of(LOCK, 2))


class Raising:
    """The command, on a log of its own."""

    def __init__(self, broker: Broker) -> None:
        self._env = {
            **names_of_its_own(),
            "BOOKSHELF_BROKER": broker.address,
            "BOOKSHELF_CONSUL": f"127.0.0.1:{reserved_ports(1)[0]}",
            "BOOKSHELF_CONSUL_WAIT_S": "0.1",
            "BOOKSHELF_CLUSTER_DOMAIN": "blue",
        }
        self.settings = settings(broker.address, prefix=self._env["BOOKSHELF_KAFKA_PREFIX"], partitions=2)

    async def __call__(self, *args: str, **env: str) -> Result:
        command = ["topics", "raise", "locks", *args]
        return await asyncio.to_thread(CliRunner().invoke, main, command, env={**self._env, **env})

    async def by_partition(self, *args: str) -> dict[int, Any]:
        found = json.loads((await self("--json", *args)).stdout)
        return {part["partition"]: part for part in found["partitions"]}


async def append(log: KafkaLog, *events: Event) -> int:
    """Append events of the lock; return the offset of the last one."""
    writer = await log.writer("lock", TOPIC, PARTITION)
    for event in events:
        value = {
            "specversion": "1.0",
            "id": "1",
            "source": "/test",
            "type": event.TYPE,
            "subject": LOCK,
            "time": datetime.now(UTC),
            "datacontenttype": "application/json",
            "data": event,
            "actor": "test",
        }
        [offset] = await writer.append([NewRecord(LOCK, msgspec.json.encode(value))])
    await writer.close()
    return offset


async def test_tokens_are_raised_once_nothing_is_in_use(kafka_broker: Broker) -> None:
    raising = Raising(kafka_broker)
    log = await KafkaLog.open(raising.settings, [Topic(TOPIC)])
    held = LockAcquired(holder="node1/1", lease="l-1", ttl_s=60, until=datetime.now(UTC) + timedelta(hours=1))
    await append(log, held)
    refused = await raising("--above", "3000")
    assert refused.exit_code == 2
    assert f"leases are held: {LOCK} by node1/1 until 20" in refused.stderr
    last = await append(log, LockReleased(lease="l-1"))

    async def noted(_partitions: frozenset[int]) -> None:
        pass

    member = await log.join("lock", TOPIC, noted, noted)
    refused = await raising("--above", "3000")
    assert refused.exit_code == 2
    assert "Kafka's groups have members: " in refused.stderr
    assert "Stop all processes of the domain first" in refused.stderr
    assert "would be raised to 3001" in (await raising("--above", "3000", "--dry-run")).stdout
    await member.leave()
    assert await log.end(TOPIC, PARTITION) == last + 2, "nothing was appended: the marker follows the record"

    one = await raising.by_partition("--above", "3000", "--lock", LOCK)
    assert one.keys() == {PARTITION}
    assert (one[PARTITION]["last"], one[PARTITION]["goal"]) == (last, 3001)
    assert one[PARTITION]["end"] >= 3001
    raised = await raising.by_partition()
    assert {p: part["goal"] for p, part in raised.items()} == {PARTITION: last + 1_000_001, OTHER: 1_000_000}
    assert all(part["end"] >= part["goal"] for part in raised.values())
    again = await raising.by_partition()
    # the marker of an ended transaction can follow after its end
    assert all(again[p]["end"] - raised[p]["end"] in {0, 1} for p in (0, 1)), "it is raised once"
    assert await append(log, held) > last + 1_000_000
    await log.close()


async def test_it_is_refused_without_a_broker_or_a_domain(kafka_broker: Broker) -> None:
    raising = Raising(kafka_broker)
    assert "name Kafka's broker with --broker" in (await raising(BOOKSHELF_BROKER="")).stderr
    assert "set cluster_domain" in (await raising(BOOKSHELF_CLUSTER_DOMAIN="")).stderr
    assert "Kafka has no topic" in (await raising()).stderr
