"""How much memory one instance takes."""

from pathlib import Path

from bench.kafka.town import town
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.memory import resident
from bookshelf.services import SERVICES

_BOOKS = 100_000
_FACTS = {
    "what": "each service in a process of its own, ready, on a log of so many books in 8 partitions",
    "rss_mib": "resident now (VmRSS), shared libraries and mapped files with it",
    "peak_mib": "resident at the most until then (VmHWM): states and rows were made from the log",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    figures: Figures = {}
    async with town(plan, folder) as there:
        await there.fill(books)
        for service in SERVICES:
            async with there.instance(service.name) as note:
                figures[service.name] = resident(note.pid)
    return Sample(figures, {"books": books, **_FACTS})


MEMORY = Measurement("memory", "how much memory an instance takes, on Kafka", _run, large=True)
