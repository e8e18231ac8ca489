"""Measures a process: events become commands, and how long one takes; beside Protean's process manager."""

import asyncio
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import ClassVar

import msgspec

from bench.baseline import protean
from bench.figures import latencies
from bench.measurement import Figures, Measurement, Plan, Sample
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.log.port import Log, NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.clock import SystemClock, SystemIds
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.process.host import process_host

TOPIC = "bench-orders"
#: Events that the process finds, and records of one append of them.
EVENTS_FOUND = 10_000
_BATCH = 1000
_PAUSE_S = 0.005
_CLOCK = SystemClock()
_IDS = SystemIds(_CLOCK)
_WHAT = (
    "steps: events in one partition that the process finds at its start, each turned into one command; the "
    "commands and the offset are one durable append of up to 500. lag: from an event's durable append until "
    "its command is read"
)


class OrderFound(Event, frozen=True):
    """An order was placed."""

    TYPE: ClassVar[str] = "bench.placed.v1"


class HoldFor(Command, frozen=True):
    """Hold what an order wants."""

    TYPE: ClassVar[str] = "bench.hold-for.v1"
    order: str


class Held(State, frozen=True):
    """No state."""


def hold(_event: OrderFound, recorded: Recorded) -> Iterable[Send]:
    """Hold what the order wants."""
    return [Send(STORE, recorded.subject, HoldFor(order=recorded.subject))]


EVENTS = Catalogue(OrderFound)
STORE = Aggregate(
    name="bench-store",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Held(),
    decide=lambda _state, _command: [],
    evolve=lambda state, _event: state,
    takes=(HoldFor,),
)
PROCESS = Process(name="bench-holding", topic=TOPIC, catalogue=EVENTS, arrows=(on(OrderFound, then=[hold]),))
TOPICS = (TOPIC, STORE.commands, PROCESS.answers, PROCESS.dead_letters)


def _placed(order: str) -> NewRecord:
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=_IDS.new(),
        source="bench",
        type=OrderFound.TYPE,
        subject=order,
        time=_CLOCK.now(),
        data=msgspec.Raw(b"{}"),
        actor="reader",
    )
    return NewRecord(order, encode_envelope(envelope))


async def measure(log: Log, events: int, seconds: float) -> Figures:
    """Return the figures of the process on a log of one partition that has so many events."""
    writer = await log.writer("bench", TOPIC, 0)
    for first in range(0, events, _BATCH):
        await writer.append([_placed(f"o{n}") for n in range(first, min(first + _BATCH, events))])
    commands = await log.tail(STORE.commands, 0, 0)
    host = process_host(PROCESS, log, _CLOCK, _IDS, Meters().process(PROCESS.name))
    began = time.perf_counter()
    await host.start()
    try:
        taken = 0
        while taken < events:
            taken += len(await commands.take(_BATCH))
        steps_s = time.perf_counter() - began
        lags_s: list[float] = []
        end = time.perf_counter() + seconds
        for number in count():
            if time.perf_counter() >= end and lags_s:
                break
            await writer.append([_placed(f"late-{number}")])
            appended = time.perf_counter()
            while not await commands.take(1):
                pass
            lags_s.append(time.perf_counter() - appended)
            await asyncio.sleep(_PAUSE_S)
    finally:
        await host.stop()
        await commands.close()
        await writer.close()
    return {"steps": {"per_s": events / steps_s}, "lag": latencies(lags_s)}


async def _run(plan: Plan, folder: Path) -> Sample:
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    try:
        own = await measure(log, plan.count(EVENTS_FOUND), plan.seconds)
    finally:
        await log.close()
    theirs, facts = await protean("protean_program.py", plan.seconds)
    return Sample(own | theirs, {"what": _WHAT, **facts})


PROCESSES = Measurement(
    "processes", "a process on the embedded log, beside Protean's process manager", _run, large=True
)
