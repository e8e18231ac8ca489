"""Measures the memory of one instance of each service."""

from pathlib import Path

from bench.kafka.cluster import open_cluster
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.memory import resident
from bookshelf.services import SERVICES

_BOOKS = 100_000
_FACTS = {
    "what": "each service in a process of its own, after its start on a log of so many books in 8 partitions",
    "rss_mib": "resident memory (VmRSS), with shared libraries and mapped files",
    "peak_mib": "the maximum of resident memory (VmHWM), while states and rows were made from the log",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    figures: Figures = {}
    async with open_cluster(plan, folder) as cluster:
        await cluster.fill(books)
        for service in (service for service in SERVICES if not service.needs_keyring):
            async with cluster.instance(service.name) as note:
                figures[service.name] = resident(note.pid)
    return Sample(figures, {"books": books, **_FACTS})


MEMORY = Measurement("memory", "memory of an instance, on Kafka", _run, large=True)
