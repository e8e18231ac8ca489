"""Measures commands without HTTP: decided, appended, fsynced; beside the library `eventsourcing`."""

import asyncio
import time
from pathlib import Path
from typing import Any

from bench.figures import latencies
from bench.in_process import newbook, open_infrastructure, sent
from bench.measurement import Figures, Measurement, Plan, Sample
from bookshelf.config import missing_extra
from bookshelf.runtime.aggregate.host import AggregateHost

_OURS = {
    "what": "one new aggregate per command; queued commands share a commit; clients are tasks of one loop",
    "journal_mode": "wal",
    "synchronous": 2,
}


async def _run(plan: Plan, folder: Path) -> Sample:
    figures: Figures = {}
    async with open_infrastructure(folder / "own") as infrastructure, newbook(infrastructure) as books:
        for askers in (1, plan.connections):
            figures[f"bookshelf, {askers} asking"] = await _asked(books, askers, plan.seconds)
    theirs, facts = await asyncio.to_thread(_rival, plan, folder / "rival.sqlite")
    return Sample(figures | theirs, {"synchronous 2": "an fsync per commit", "bookshelf": _OURS, **facts})


async def _asked(books: AggregateHost, askers: int, seconds: float) -> dict[str, float]:
    taken_s: list[float] = []
    began = time.perf_counter()

    async def ask_on() -> None:
        while (asked := time.perf_counter()) < began + seconds or not taken_s:
            await books.ask(sent(len(taken_s)))
            taken_s.append(time.perf_counter() - asked)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(askers):
            tasks.create_task(ask_on())
    return {"per_s": len(taken_s) / (time.perf_counter() - began), **latencies(taken_s)}


def _rival(plan: Plan, file: Path) -> tuple[Figures, dict[str, Any]]:
    try:
        from bench.eventsourcing_baseline import EventSourcingBaseline  # noqa: PLC0415 (an optional extra)
    except ModuleNotFoundError as fault:
        why = str(missing_extra("the comparison", fault, "bench"))
        return {}, {"eventsourcing": None, "why": why}

    rival = EventSourcingBaseline(file)
    try:
        figures = {f"eventsourcing, {n} asking": rival.asked(n, plan.seconds) for n in (1, plan.connections)}
        return figures, {"eventsourcing": rival.facts()}
    finally:
        rival.close()


COMMANDS = Measurement("commands", "commands in process, beside the library `eventsourcing`", _run)
