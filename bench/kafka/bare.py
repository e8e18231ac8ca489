"""Measures aiokafka alone, with the same clients as the Kafka log: the upper limit of the other figures."""

import asyncio
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from aiokafka import TopicPartition

from bench import sample_books
from bench.figures import latencies
from bench.kafka.cluster import BenchCluster, open_cluster
from bench.measurement import Measurement, Plan, Sample
from bookshelf.cli.instance import topics
from bookshelf.log.kafka.clients import Clients, stop_producer
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.shelf.events import TOPIC

_SIZES = (1, 10, 100)
_WARM_UP = 50
_MANY = 8
_FACTS = {
    "what": "transactional producers, each with one transaction at a time on its own partition, acks=all",
    f"{_MANY} producers": "concurrent, as owners of 8 partitions; 8 events each correspond to 64 connections",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    async with open_cluster(plan, folder, _MANY) as cluster:
        await (await KafkaLog.open(cluster.network.kafka, topics())).close()  # creates the topics
        alone = {size: await _transactions(cluster, size, plan.seconds) for size in _SIZES}
        many = await asyncio.gather(*(_transactions(cluster, _MANY, plan.seconds, p) for p in range(_MANY)))
    figures = {f"transactions of {size}": _figures(size, [taken]) for size, taken in alone.items()}
    together = {f"{_MANY} producers, transactions of {_MANY}": _figures(_MANY, many)}
    return Sample(figures | together, _FACTS)


def _figures(size: int, producers: Sequence[Sequence[float]]) -> dict[str, float]:
    rate = sum(size * len(taken) / sum(taken) for taken in producers)
    return {"events_per_s": rate, **latencies([seconds for taken in producers for seconds in taken])}


async def _transactions(cluster: BenchCluster, size: int, seconds: float, partition: int = 0) -> list[float]:
    """Return the seconds of each transaction after the warm-up."""
    settings = cluster.network.kafka
    producer = Clients(settings).producer(f"{settings.prefix}bare-{partition}-{size}")
    await producer.start()
    records = list(islice(sample_books.records(size), size))
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


async def consumed(cluster: BenchCluster, end: int) -> float:
    """Return the seconds in which a consumer reads a partition to its end without decoding."""
    settings = cluster.network.kafka
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
