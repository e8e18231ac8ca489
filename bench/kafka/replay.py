"""Events read back into state, beside a bare consumer of the same partition."""

import time
from pathlib import Path

from bench import library
from bench.inside import newbook, view
from bench.kafka.bare import consumed
from bench.kafka.town import Town, town
from bench.measurement import Measurement, Plan, Sample
from bookshelf.log.port import Log
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, SnapshotFold
from bookshelf.shelf.book import BOOK
from bookshelf.shelf.events import TOPIC

_BOOKS = 180_000
_READ = 500
_FACTS = {
    "bare consumer": "aiokafka's getmany, nothing decoded",
    "tail": "the adapter's tail, nothing decoded",
    "fold": "tail, envelope, event, evolve, one state a book",
    "owner": "the same by a new owner, who also remembers commands and stores what it holds",
    "view": "the list's rows, words and history, made from nothing",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    events = library.events(books)
    async with town(plan, folder, 1) as there:
        await there.fill(books)
        async with there.world("look") as world:
            end = await world.log.end(TOPIC, 0)
            taken_s = {"bare consumer": await consumed(there, end)}
            taken_s["tail"] = await _tailed(world.log, end)
            taken_s["fold"] = await _folded(world.log, end)
        taken_s["owner"] = await _owned(there)
        taken_s["view"] = await _viewed(there)
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


async def _owned(there: Town) -> float:
    async with there.world("owner") as world:
        began = time.perf_counter()
        async with newbook(world):
            return time.perf_counter() - began


async def _viewed(there: Town) -> float:
    async with there.world("view") as world:
        began = time.perf_counter()
        async with view(world):
            return time.perf_counter() - began


REPLAY = Measurement("replay", "events replayed from Kafka, beside a bare consumer", _run)
