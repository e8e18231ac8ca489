"""The log on a real Kafka keeps the contract that memory and SQLite keep."""

from collections.abc import AsyncIterator

import pytest
from contract.append_contract import ELSEWHERE, AppendContract
from contract.group_contract import GroupContract
from contract.log_contract import PARTITIONS, TOPIC, LogContract
from support.kafka import Broker
from support.kafka_log import kafka_log

from bookshelf.log.kafka.log import KafkaLog

pytestmark = pytest.mark.needs("kafka")


@pytest.fixture
async def log(kafka_broker: Broker) -> AsyncIterator[KafkaLog]:
    async with kafka_log(kafka_broker.address, TOPIC, ELSEWHERE, partitions=PARTITIONS) as opened:
        yield opened


class TestKafkaLog(LogContract):
    """Records, writers and tails."""


class TestKafkaAppends(AppendContract):
    """Replies, and what was consumed."""


class TestKafkaGroups(GroupContract):
    """Groups."""
