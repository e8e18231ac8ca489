"""Measures domains: on Kafka and Consul with real processes, on the embedded log, beside other programs."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import programs, watches
from bench.domain_checks import measure_checks
from bench.embedded_domain import FACTS as EMBEDDED_FACTS
from bench.embedded_domain import measure_embedded
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.primary import PRIMARY
from bench.sessions import SESSIONS
from bookshelf.cli.command import collect_rarely

_SIZES = (3, 10, 30)
_FACTS: dict[str, Any] = {
    "GET": "books by id at the port of booklist, of one shelf without a domain and of one with, in turn; "
    "'off, again' compares the first one with itself",
    "sessions": "as in the measurement `sessions`, on the embedded log",
    "primary": "as in the measurement `primary`",
    "watches": "from a write of one key until as many watchers have it; Consul in memory, etcd with fsync",
    **EMBEDDED_FACTS,
}


async def _run(plan: Plan, folder: Path) -> Sample:
    collect_rarely()  # as every process of the program does
    facts, missing = dict(_FACTS), list[str]()
    figures = await _beside(folder, plan, missing)
    figures |= await _on_kafka(plan, folder, facts, missing)
    figures |= await measure_checks(plan, _place(folder, "checks"))
    figures |= await measure_embedded(_place(folder, "embedded"), _SIZES)
    for part in (SESSIONS, PRIMARY):
        found = await part.run(plan, _place(folder, part.name))
        figures |= {f"{part.name}, {name}": values for name, values in found.figures.items()}
        missing += found.facts.get("missing", ())
    return Sample(with_times(figures), {**facts, **({"missing": sorted({*missing})} if missing else {})})


def _place(folder: Path, name: str) -> Path:
    """Return a new folder of one part."""
    place = folder / name
    place.mkdir()
    return place


async def _beside(folder: Path, plan: Plan, missing: list[str]) -> Figures:
    """Return the figures of the watches of other programs."""
    figures: Figures = {}
    for name, program in watches.installed().items():
        if program is None:
            missing.append(name)
            continue
        for size in _SIZES:
            place = _place(folder, f"{name}-{size}")
            rounds = max(2, round(plan.seconds * 30))
            figures[f"{name}, {size} nodes"] = await watches.delays(name, program, size, place, rounds)
    return figures


async def _on_kafka(plan: Plan, folder: Path, facts: dict[str, Any], missing: list[str]) -> Figures:
    """Return the figures of real processes, if all is here that they need."""
    consul = programs.found("consul")
    needed = {"aiokafka": find_spec("aiokafka"), "consul": consul, "java": programs.found("java")}
    if consul is None or None in needed.values():
        missing += [name for name, there in needed.items() if there is None]
        return {}
    from bench.nodes.domain_figures import FACTS, measure_domain  # noqa: PLC0415 (an extra)

    facts |= FACTS
    return await measure_domain(plan, consul, _place(folder, "processes"), _SIZES)


def with_times(figures: Figures) -> Figures:
    """Return the figures with the times of rollouts beside those of the slower watch of the same size."""
    for size in _SIZES:
        others = [
            values["p50_ms"] for name, values in figures.items() if name.endswith(f" watch, {size} nodes")
        ]
        own = figures.get(f"{size} nodes")
        if own is not None and others:
            own["times_watch"] = own["committed_p50_ms"] / max(others)
    return figures


CLUSTER = Measurement("cluster", "rollouts to the nodes of a domain, sessions, a primary", _run, large=True)
