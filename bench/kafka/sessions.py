"""Measures sessions as `bench.sessions` does, on a real broker; their owner is asked by HTTP."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.kafka.cluster import open_cluster
from bench.measurement import Measurement, Plan, Sample
from bench.sessions import FACTS, joined, used

_PARTITIONS = 8
_FACTS = {**FACTS, "partitions": _PARTITIONS}
#: Names the domain; the topic of sessions is made with one only.
_DOMAIN = "BOOKSHELF_CLUSTER_DOMAIN"


@contextmanager
def _in_a_domain() -> Iterator[None]:
    former = os.environ.get(_DOMAIN)
    os.environ[_DOMAIN] = former or "bench"
    try:
        yield
    finally:
        if former is None:
            del os.environ[_DOMAIN]
        else:
            os.environ[_DOMAIN] = former


async def _run(plan: Plan, folder: Path) -> Sample:
    with _in_a_domain():
        async with (
            open_cluster(plan, folder, _PARTITIONS) as cluster,
            cluster.infrastructure("filled") as infrastructure,
        ):
            copies = await joined(infrastructure, folder / "joiner")
        async with (
            open_cluster(plan, folder, _PARTITIONS) as cluster,
            cluster.infrastructure("shelf") as infrastructure,
        ):
            figures = await used(infrastructure, folder / "nodes", plan.seconds)
    return Sample({**figures, "copies": copies}, _FACTS)


SESSIONS_ON_KAFKA = Measurement(
    "sessions", "sessions on three nodes: changes, conflicts, delay, memory", _run, large=True
)
