"""Measures a process: events become commands, and how long one takes; beside Protean's process manager."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from bench.figures import latencies
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
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
#: Names a Python that has Protean: its libraries do not fit beside those of the project.
_PROTEAN = "PROTEAN_PYTHON"
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


async def protean(seconds: float, name: str = "protean_program.py") -> tuple[Figures, dict[str, Any]]:
    """Return the figures of a program with Protean's process manager; none if no Python has that."""
    path = Path(__file__).with_name(name)
    python = os.environ.get(_PROTEAN)
    if not python:
        return {}, {"protean": None, "why": f"{_PROTEAN} names no Python that has Protean 0.18"}
    program = await asyncio.create_subprocess_exec(
        python, str(path), str(seconds), stdin=DEVNULL, stdout=PIPE, stderr=sys.stderr
    )
    output, _ = await program.communicate()
    if program.returncode:
        msg = f"{name} has failed; its own message is above"
        raise BenchFault(msg)
    found = msgspec.json.decode(output.splitlines()[-1])
    taken: Sequence[float] = found["taken_s"]
    return {"protean": {"per_s": found["per_s"], **latencies(taken)}}, {"protean": found["facts"]}


async def _run(plan: Plan, folder: Path) -> Sample:
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    try:
        own = await measure(log, plan.count(EVENTS_FOUND), plan.seconds)
    finally:
        await log.close()
    theirs, facts = await protean(plan.seconds)
    return Sample(own | theirs, {"what": _WHAT, **facts})


PROCESSES = Measurement(
    "processes", "a process on the embedded log, beside Protean's process manager", _run, large=True
)
