"""Measures the replay of events into states and views, beside a plain consumer of the same partition."""

import time
from pathlib import Path

from bench import sample_books
from bench.in_process import newbook, view
from bench.kafka.bare import consumed
from bench.kafka.cluster import BenchCluster, open_cluster
from bench.measurement import Measurement, Plan, Sample
from bookshelf.log.port import Log
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, SnapshotFold
from bookshelf.shelf.book import BOOK
from bookshelf.shelf.events import TOPIC

_BOOKS = 180_000
_READ = 500
_FACTS = {
    "bare consumer": "aiokafka's getmany, without decoding",
    "tail": "the Kafka log's tail, without decoding",
    "fold": "read from a tail, decoded and evolved into one state per book",
    "owner": "the same by a new owner, which also keeps completed commands and fills its state store",
    "view": "the view `booklist` rebuilt from the start: rows, words and history",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    events = sample_books.events(books)
    async with open_cluster(plan, folder, 1) as cluster:
        await cluster.fill(books)
        async with cluster.infrastructure("look") as infrastructure:
            end = await infrastructure.log.end(TOPIC, 0)
            taken_s = {"bare consumer": await consumed(cluster, end)}
            taken_s["tail"] = await _tailed(infrastructure.log, end)
            taken_s["fold"] = await _folded(infrastructure.log, end)
        taken_s["owner"] = await _owned(cluster)
        taken_s["view"] = await _viewed(cluster)
    figures = {name: {"events_per_s": events / took, "seconds": took} for name, took in taken_s.items()}
    return Sample(figures, {"events": events, **_FACTS})


async def _tailed(log: Log, end: int) -> float:
    tail = await log.tail(TOPIC, 0, 0)
    began = time.perf_counter()
    while tail.position < end:
        await tail.take(_READ)
    return time.perf_counter() - began


async def _folded(log: Log, end: int) -> float:
    fold = SnapshotFold(BOOK)
    states: dict[str, AggregateSnapshot[object]] = {}
    tail = await log.tail(TOPIC, 0, 0)
    began = time.perf_counter()
    while tail.position < end:
        for record in await tail.take(_READ):
            states[record.key], _ = fold.apply(states.get(record.key, fold.empty), record)
    return time.perf_counter() - began


async def _owned(cluster: BenchCluster) -> float:
    async with cluster.infrastructure("owner") as infrastructure:
        began = time.perf_counter()
        async with newbook(infrastructure):
            return time.perf_counter() - began


async def _viewed(cluster: BenchCluster) -> float:
    async with cluster.infrastructure("view") as infrastructure:
        began = time.perf_counter()
        async with view(infrastructure):
            return time.perf_counter() - began


REPLAY = Measurement("replay", "events replayed from Kafka, beside a bare consumer", _run)
