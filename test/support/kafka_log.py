"""Kafka logs for tests: each test with its own names, and with timeouts for a local broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import KafkaSettings, Topic


def settings(address: str, **more: Any) -> KafkaSettings:  # noqa: ANN401 (KafkaSettings' fields)
    """Settings under names that no other test has."""
    chosen: dict[str, Any] = {
        "prefix": f"test-{uuid4().hex[:8]}.",
        "heartbeat_s": 0.05,
        "session_s": 2.0,
        "rebalance_s": 5.0,
        "transaction_s": 3.0,
    }
    return KafkaSettings(bootstrap=address, **{**chosen, **more})


@asynccontextmanager
async def kafka_log(address: str, *topics: str, **more: Any) -> AsyncIterator[KafkaLog]:  # noqa: ANN401 (as above)
    """Open a log, and close it at the end."""
    log = await KafkaLog.open(settings(address, **more), [Topic(name) for name in topics])
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def admin_of(address: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that changes topics behind a log's back."""
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


def named(log: KafkaLog, topic: str = "bookshelf") -> str:
    """Return a topic's name in Kafka."""
    return str(log._at(topic, 0).topic)  # noqa: SLF001 (only these tests need the topic's name)
