"""The real log and the real database together: instances divide a view's partitions by a Kafka group."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from support.counter_context import TOPIC, totals
from support.instances import PARTITIONS, Shared, split
from support.kafka import Broker
from support.kafka_log import kafka_log
from support.postgres import Server
from support.views import answer

from bookshelf.log.kafka.log import KafkaLog

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres")]


@pytest.fixture
async def logs(kafka_broker: Broker) -> AsyncIterator[tuple[KafkaLog, KafkaLog]]:
    """The same log, as two processes have it open."""
    prefix = f"test-{uuid4().hex[:8]}."
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(
                kafka_log(kafka_broker.address, TOPIC, prefix=prefix, partitions=PARTITIONS)
            )
            for _ in range(2)
        ]
        yield one, other


async def test_instances_on_kafka_divide_take_over_and_switch_generations(
    postgres_server: Server, logs: tuple[KafkaLog, KafkaLog]
) -> None:
    async with postgres_server.database() as name:
        here, there = (Shared(postgres_server, name, log) for log in logs)
        async with asyncio.timeout(60), here.instance() as stays:
            async with there.instance() as leaves:
                await split(stays, leaves)
                await here.write(8)
                for host, log in zip((stays, leaves), logs, strict=True):
                    assert await answer(host, log) == await totals(log)
                await leaves.rebuild(lambda _done, _total: None)
                await split(stays, leaves)
                await here.write(8)
            await split(stays)
            await here.write(8)
            assert await answer(stays, here.log) == await totals(here.log)
