"""What aiokafka does by itself, with the very clients that the adapter makes: the limit for the rest."""

import time
from itertools import islice
from pathlib import Path

from aiokafka import TopicPartition

from bookshelf.bench import library
from bookshelf.bench.figures import latencies
from bookshelf.bench.kafka.town import Town, town
from bookshelf.bench.measurement import Measurement, Plan, Sample
from bookshelf.cli.networked import kafka, topics
from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.dropping import drop
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.shelf.events import TOPIC

_SIZES = (1, 10, 100)
_WARM_UP = 50
_FACTS = {"what": "one transactional producer, one partition, one transaction after the other, acks=all"}


async def _run(plan: Plan, folder: Path) -> Sample:
    async with town(plan, folder, 1) as there:
        await (await KafkaLog.open(kafka(there.network), topics())).close()  # makes the topics
        taken = {size: await _transactions(there, size, plan.seconds) for size in _SIZES}
    return Sample({f"transactions of {size}": figures for size, figures in taken.items()}, _FACTS)


async def _transactions(there: Town, size: int, seconds: float) -> dict[str, float]:
    settings = kafka(there.network)
    producer = Clients(settings).producer(f"{settings.prefix}bare-{size}")
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
        await (await producer.send_batch(batch, settings.prefix + TOPIC, partition=0))
        await producer.commit_transaction()
        now = time.perf_counter()
        taken_s.append(now - sent)
    await drop(producer)
    timed = taken_s[_WARM_UP:]
    return {"events_per_s": size * len(timed) / sum(timed), **latencies(timed)}


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


BARE = Measurement("bare", "aiokafka alone: transactions of 1, 10 and 100", _run)
