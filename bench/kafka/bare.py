"""What aiokafka does by itself, with the very clients that the adapter makes: the limit for the rest."""

import asyncio
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from aiokafka import TopicPartition

from bench import library
from bench.figures import latencies
from bench.kafka.town import Town, town
from bench.measurement import Measurement, Plan, Sample
from bookshelf.cli.networked import kafka, topics
from bookshelf.log.kafka.client_lifecycle import stop_producer
from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.shelf.events import TOPIC

_SIZES = (1, 10, 100)
_WARM_UP = 50
_MANY = 8
_FACTS = {
    "what": "transactional producers, one transaction after the other on a partition of its own, acks=all",
    f"{_MANY} producers": "at once, as owners of 8 partitions; 8 events each is what 64 connections give",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    async with town(plan, folder, _MANY) as there:
        await (await KafkaLog.open(kafka(there.network), topics())).close()  # makes the topics
        alone = {size: await _transactions(there, size, plan.seconds) for size in _SIZES}
        many = await asyncio.gather(*(_transactions(there, _MANY, plan.seconds, p) for p in range(_MANY)))
    figures = {f"transactions of {size}": _figures(size, [taken]) for size, taken in alone.items()}
    together = {f"{_MANY} producers, transactions of {_MANY}": _figures(_MANY, many)}
    return Sample(figures | together, _FACTS)


def _figures(size: int, producers: Sequence[Sequence[float]]) -> dict[str, float]:
    rate = sum(size * len(taken) / sum(taken) for taken in producers)
    return {"events_per_s": rate, **latencies([one for taken in producers for one in taken])}


async def _transactions(there: Town, size: int, seconds: float, partition: int = 0) -> list[float]:
    """Return the seconds that each transaction took."""
    settings = kafka(there.network)
    producer = Clients(settings).producer(f"{settings.prefix}bare-{partition}-{size}")
    await producer.start()
    records = list(islice(library.records(size), size))
    taken_s: list[float] = []
    began = now = time.perf_counter()
    while now < began + seconds or len(taken_s) <= _WARM_UP:
        sent = now
        await producer.begin_transaction()
        batch = producer.create_batch()
        for record in records:
            batch.append(timestamp=None, key=record.key.encode(), value=record.value)
        await (await producer.send_batch(batch, settings.prefix + TOPIC, partition=partition))
        await producer.commit_transaction()
        now = time.perf_counter()
        taken_s.append(now - sent)
    await stop_producer(producer)
    return taken_s[_WARM_UP:]


async def consumed(there: Town, end: int) -> float:
    """Return the seconds in which a bare consumer reads a partition to its end, and decodes nothing."""
    settings = kafka(there.network)
    consumer = Clients(settings).reader()
    where = TopicPartition(settings.prefix + TOPIC, 0)
    await consumer.start()
    consumer.assign([where])
    consumer.seek(where, 0)
    began = time.perf_counter()
    while await consumer.position(where) < end:
        await consumer.getmany(where, timeout_ms=100)
    taken_s = time.perf_counter() - began
    await consumer.stop()
    return taken_s


BARE = Measurement("bare", "aiokafka alone: transactions of 1, 10 and 100; eight producers at once", _run)
