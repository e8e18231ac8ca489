"""Runs measurements, several times each, and puts together what they found."""

import gc
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.commands import COMMANDS
from bench.events import LOG
from bench.figures import short, together
from bench.gateway import GATEWAY
from bench.gets import GETS
from bench.lasting import LASTING
from bench.measurement import BenchFault, Measurement, Plan, Sample
from bench.memory import MEMORY
from bench.posts import POSTS
from bench.start import START
from bench.visible import VISIBLE
from bookshelf import __version__
from bookshelf.config import missing_extra

MEASUREMENTS = (POSTS, GETS, COMMANDS, LOG, VISIBLE, START, MEMORY, GATEWAY, LASTING)
_LIBRARIES = ("aiohttp", "msgspec", "SQLAlchemy", "uvloop", "eventsourcing", "aiokafka")
_SYNCS = 101

Say = Callable[[str], None]


def on_kafka() -> tuple[Measurement, ...]:
    """Return what is measured there. Raises `WrongSetting` without aiokafka."""
    try:
        from bench.kafka import table  # noqa: PLC0415 (an optional extra)
    except ModuleNotFoundError as fault:
        raise missing_extra("python -m bench --log kafka", fault, "kafka") from None
    return table.MEASUREMENTS


def chosen(
    names: Sequence[str], *, everything: bool, among: Sequence[Measurement] = MEASUREMENTS
) -> list[Measurement]:
    """Return the measurements of these names; without names all but the large ones. Raises `BenchFault`."""
    if unknown := set(names) - {one.name for one in among}:
        there = ", ".join(one.name for one in among)
        msg = f"{', '.join(sorted(unknown))}: not measured of this log; there are {there}"
        raise BenchFault(msg)
    if names:
        return [one for one in among if one.name in names]
    return [one for one in among if everything or not one.large]


async def measured(measurements: Sequence[Measurement], plan: Plan, say: Say) -> dict[str, Any]:
    """Return the report. Raises `BenchFault` when what is measured does not do its work."""
    began = time.perf_counter()
    results = {one.name: await _measured(one, plan, say) for one in measurements}
    return {
        "versions": _versions(),
        "machine": _machine(),
        "settings": msgspec.to_builtins(plan),
        "seconds": short(time.perf_counter() - began),
        "results": msgspec.to_builtins(results),
    }


async def _measured(one: Measurement, plan: Plan, say: Say) -> dict[str, Any]:
    samples = []
    for number in range(plan.runs):
        say(f"{one.name}: run {number + 1} of {plan.runs}")
        samples.append(await _sample(one, plan))
    figures = together([sample.figures for sample in samples])
    return {"what": one.what, "facts": samples[0].facts, "figures": figures}


async def _sample(one: Measurement, plan: Plan) -> Sample:
    with tempfile.TemporaryDirectory(prefix=f"bookshelf-{one.name}-") as folder:
        gc.collect()  # what the run before left is not this one's to clear away
        return await one.run(plan, Path(folder))


def _versions() -> dict[str, str | None]:
    own = {"bookshelf": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    return {**own, **{name: _version(name) for name in _LIBRARIES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "system": sys.platform,
        "machine": platform.machine(),
        "fsync_ms": _fsync_ms(),
    }


def _fsync_ms() -> float:
    """Return how long it takes to append 4 KiB durably where the measurements write: every commit has one."""
    taken_s: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            taken_s.append(time.perf_counter() - began)
    return short(1e3 * median(taken_s))
