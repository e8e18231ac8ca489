"""A cancelled start of a Kafka client leaves no connection open."""

import asyncio
import gc
import warnings
from contextlib import suppress

import pytest
from contract.log_contract import TOPIC
from support.kafka import Broker
from support.kafka_log import kafka_log

from bookshelf.log.kafka.log import KafkaLog

pytestmark = pytest.mark.needs("kafka")

#: Moments at which someone gives up, and milliseconds from one to the next: a start takes 5 to 20.
_MOMENTS, _STEP_MS = 60, 0.4


async def given_up(log: KafkaLog, what: str, after_ms: float) -> None:
    opening = log.tail(TOPIC, 0, 0) if what == "tail" else log.writer("newbook", TOPIC, 0)
    with suppress(TimeoutError):
        async with asyncio.timeout(after_ms / 1000):
            await opening


@pytest.mark.parametrize("what", ["tail", "writer"])
async def test_an_append_cancelled_at_any_moment_is_decided_by_the_next_writer(
    kafka_broker: Broker, what: str
) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        async with kafka_log(kafka_broker.address, TOPIC, partitions=1) as log:
            for moment in range(_MOMENTS):
                await given_up(log, what, moment * _STEP_MS)
        gc.collect()
    assert [str(warning.message) for warning in warned] == []
