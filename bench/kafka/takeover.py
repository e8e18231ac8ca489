"""Measures how long a partition has no owner when it moves to another instance."""

import shutil
import time
from pathlib import Path

from bench import sample_books
from bench.in_process import newbook, sent
from bench.kafka.cluster import BenchCluster, open_cluster
from bench.measurement import Measurement, Plan, Sample

#: So many books have a million events.
_BOOKS = 909_090
_FACTS = {
    "what": "one partition; its owner leaves as in a deployment, while the next one is in the group already",
    "seconds": "from the request to stop until the next owner has answered a command",
    "with the store": "the next owner had the partition before: its state store lacks only the last command",
    "without": "the next owner reads every event",
    "leaves_s": "the part of those seconds until the former owner had drained, stored its states and left",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    async with open_cluster(plan, folder, 1) as cluster:
        await cluster.fill(books)
        async with cluster.infrastructure("former") as infrastructure, newbook(infrastructure):
            pass  # fills its state store
        shutil.copytree(folder / "former", folder / "full")
        figures = {
            "with the store": await _moved(cluster, "full"),
            "without": await _moved(cluster, "empty"),
        }
    return Sample(figures, {"events": sample_books.events(books), **_FACTS})


async def _moved(cluster: BenchCluster, to: str) -> dict[str, float]:
    async with (
        cluster.infrastructure("former") as mine,
        cluster.infrastructure(to) as theirs,
        newbook(mine) as former,
    ):
        await former.ask(sent(1))
        async with newbook(theirs) as following:
            began = time.perf_counter()
            await former.stop()
            left = time.perf_counter()
            while not following.owned:
                await following.moved(following.owned)
            await following.ask(sent(2))
            return {"seconds": time.perf_counter() - began, "leaves_s": left - began}


TAKEOVER = Measurement("takeover", "a partition with a million events gets another owner", _run, large=True)
