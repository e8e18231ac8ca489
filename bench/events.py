"""Measures the log alone: appends, and replays of events into states and views."""

import time
from itertools import islice
from pathlib import Path

from bench import sample_books
from bench.in_process import newbook, open_infrastructure, view
from bench.measurement import Figures, Measurement, Plan, Sample
from bookshelf.log.port import Log, NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, SnapshotFold
from bookshelf.shelf.book import BOOK
from bookshelf.shelf.events import TOPIC

_BOOKS = 180_000
_READ = 500
_FACTS = {
    "append": "one writer, one append after the other, with an fsync each",
    "replay, fold": "read from a tail, decoded and evolved into one state per book",
    "replay, owner": "the same by a new owner, which also keeps completed commands and fills its state store",
    "replay, view": "the view `booklist` rebuilt from the start: rows, words and history",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    figures: Figures = {}
    for size in (1, 100):
        log = await SqliteLog.open(folder / f"append-{size}.sqlite")
        figures[f"append, {size} at a time"] = {"events_per_s": await _appended(log, size, plan.seconds)}
        await log.close()
    books = plan.count(_BOOKS)
    await sample_books.fill(folder / "own", books)
    events = sample_books.events(books)
    for name, replay in (("fold", _folded), ("owner", _owned), ("view", _viewed)):
        taken_s = await replay(folder / "own", events)
        figures[f"replay, {name}"] = {"events_per_s": events / taken_s, "seconds": taken_s}
    return Sample(figures, {"events": events, **_FACTS})


async def _appended(log: Log, size: int, seconds: float) -> float:
    writer = await log.writer("bench", TOPIC, 0)
    waiting: list[NewRecord] = list(islice(sample_books.records(1000), 1000))
    began = time.perf_counter()
    written = 0
    while time.perf_counter() < began + seconds:
        start = written % 1000
        await writer.append(waiting[start : start + size])
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
    async with open_infrastructure(folder) as infrastructure:
        began = time.perf_counter()
        async with newbook(infrastructure):
            return time.perf_counter() - began


async def _viewed(folder: Path, _events: int) -> float:
    async with open_infrastructure(folder) as infrastructure:
        began = time.perf_counter()
        async with view(infrastructure):
            return time.perf_counter() - began


LOG = Measurement("log", "events appended and events replayed", _run)
