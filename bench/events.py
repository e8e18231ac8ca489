"""The log by itself: events appended, and events read back into state."""

import time
from itertools import islice
from pathlib import Path

from bench import library
from bench.inside import newbook, view, world
from bench.measurement import Figures, Measurement, Plan, Sample
from bookshelf.log.port import Log, NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, SnapshotFold
from bookshelf.shelf.book import BOOK
from bookshelf.shelf.events import TOPIC

_BOOKS = 180_000
_READ = 500
_FACTS = {
    "append": "one writer that waits for each append; an fsync each",
    "replay, fold": "tail, envelope, event, evolve, one state a book",
    "replay, owner": "the same by a new owner, who also remembers commands and stores what it holds",
    "replay, view": "the list's rows, words and history, made from nothing",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    figures: Figures = {}
    for size in (1, 100):
        log = await SqliteLog.open(folder / f"append-{size}.sqlite")
        figures[f"append, {size} at a time"] = {"events_per_s": await _appended(log, size, plan.seconds)}
        await log.close()
    books = plan.count(_BOOKS)
    await library.fill(folder / "own", books)
    events = library.events(books)
    for name, replay in (("fold", _folded), ("owner", _owned), ("view", _viewed)):
        taken_s = await replay(folder / "own", events)
        figures[f"replay, {name}"] = {"events_per_s": events / taken_s, "seconds": taken_s}
    return Sample(figures, {"events": events, **_FACTS})


async def _appended(log: Log, size: int, seconds: float) -> float:
    pen = await log.writer("bench", TOPIC, 0)
    waiting: list[NewRecord] = list(islice(library.records(1000), 1000))
    began = time.perf_counter()
    written = 0
    while time.perf_counter() < began + seconds:
        start = written % 1000
        await pen.append(waiting[start : start + size])
        written += size
    return written / (time.perf_counter() - began)


async def _folded(folder: Path, events: int) -> float:
    log = await SqliteLog.open(folder / "log.sqlite")
    fold = SnapshotFold(BOOK)
    states: dict[str, AggregateSnapshot[object]] = {}
    began = time.perf_counter()
    tail = await log.tail(TOPIC, 0, 0)
    while tail.position < events:
        for record in await tail.take(_READ):
            states[record.key], _ = fold.apply(states.get(record.key, fold.empty), record)
    taken_s = time.perf_counter() - began
    await log.close()
    return taken_s


async def _owned(folder: Path, _events: int) -> float:
    async with world(folder) as there:
        began = time.perf_counter()
        async with newbook(there):
            return time.perf_counter() - began


async def _viewed(folder: Path, _events: int) -> float:
    async with world(folder) as there:
        began = time.perf_counter()
        async with view(there):
            return time.perf_counter() - began


LOG = Measurement("log", "events appended and events replayed", _run)
