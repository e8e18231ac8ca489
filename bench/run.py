"""Runs each measurement several times and makes the report."""

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

from bench.accounts import ACCOUNTS
from bench.cluster import CLUSTER
from bench.commands import COMMANDS
from bench.events import LOG
from bench.figures import short, together
from bench.gateway import GATEWAY
from bench.gets import GETS
from bench.imports import IMPORTS
from bench.measurement import BenchFault, Measurement, Plan, Sample
from bench.memory import MEMORY
from bench.photos import PHOTOS
from bench.posts import POSTS
from bench.primary import PRIMARY
from bench.processes import PROCESSES
from bench.searches import SEARCHES
from bench.sessions import SESSIONS
from bench.shop.measurement import SHOP
from bench.site import SITE
from bench.soak import SOAK
from bench.start import START
from bench.timelines import TIMELINES
from bench.visible import VISIBLE
from bookshelf import __version__
from bookshelf.config import missing_extra

MEASUREMENTS = (
    *(POSTS, GETS, COMMANDS, LOG, VISIBLE, START, MEMORY),
    *(SEARCHES, IMPORTS, SITE, PROCESSES, ACCOUNTS, SHOP, PHOTOS, TIMELINES, GATEWAY),
    *(SESSIONS, CLUSTER, PRIMARY, SOAK),
)
_LIBRARIES = ("aiohttp", "msgspec", "SQLAlchemy", "uvloop", "eventsourcing", "aiokafka")
_SYNCS = 101

Say = Callable[[str], None]


def on_kafka() -> tuple[Measurement, ...]:
    """Return the measurements on Kafka. Raises `WrongSetting` without aiokafka."""
    try:
        from bench.kafka import table  # noqa: PLC0415 (an optional extra)
    except ModuleNotFoundError as fault:
        raise missing_extra("python -m bench --log kafka", fault, "kafka") from None
    return table.MEASUREMENTS


def chosen(
    names: Sequence[str], *, everything: bool, among: Sequence[Measurement] = MEASUREMENTS
) -> list[Measurement]:
    """Return the named measurements; without names all but the large ones. Raises `BenchFault`."""
    if unknown := set(names) - {measurement.name for measurement in among}:
        known = ", ".join(measurement.name for measurement in among)
        msg = f"{', '.join(sorted(unknown))}: not measured of this log; there are {known}"
        raise BenchFault(msg)
    if names:
        return [measurement for measurement in among if measurement.name in names]
    return [measurement for measurement in among if everything or not measurement.large]


async def measured(measurements: Sequence[Measurement], plan: Plan, say: Say) -> dict[str, Any]:
    """Run the measurements and return the report. Raises `BenchFault` if a measured program fails."""
    began = time.perf_counter()
    results = {measurement.name: await _measured(measurement, plan, say) for measurement in measurements}
    return {
        "versions": _versions(),
        "machine": _machine(),
        "settings": msgspec.to_builtins(plan),
        "seconds": short(time.perf_counter() - began),
        "results": msgspec.to_builtins(results),
    }


async def _measured(measurement: Measurement, plan: Plan, say: Say) -> dict[str, Any]:
    samples = []
    for number in range(plan.runs):
        say(f"{measurement.name}: run {number + 1} of {plan.runs}")
        samples.append(await _sample(measurement, plan))
    figures = together([sample.figures for sample in samples])
    return {"what": measurement.what, "facts": samples[0].facts, "figures": figures}


async def _sample(measurement: Measurement, plan: Plan) -> Sample:
    with tempfile.TemporaryDirectory(prefix=f"bookshelf-{measurement.name}-") as folder:
        gc.collect()  # garbage of the former run must not be collected during this one
        return await measurement.run(plan, Path(folder))


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
    """Return the median time of appending 4 KiB with an fsync, as every commit does, in milliseconds."""
    taken_s: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            taken_s.append(time.perf_counter() - began)
    return short(1e3 * median(taken_s))
