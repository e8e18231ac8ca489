"""Measures the time from a command to its effect in a view of another process."""

from pathlib import Path

from bench.connection import connect
from bench.figures import latencies
from bench.kafka.cluster import open_cluster
from bench.measurement import Measurement, Plan, Sample
from bench.visible import once

_ROUNDS = 500
_FACTS = {
    "whole": "from sending the POST to newbook to the response of booklist with the new book",
    "wait": "from the POST's response to the GET's, which has the POST's position in Bookshelf-After",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    rounds = plan.count(_ROUNDS)
    async with (
        open_cluster(plan, folder) as cluster,
        cluster.instance("newbook") as newbook,
        cluster.instance("booklist") as booklist,
        connect(newbook.services["newbook"]) as commands,
        connect(booklist.services["booklist"]) as queries,
    ):
        for number in range(min(rounds, 50)):  # warm-up, not measured
            await once(commands, queries, number)
        taken = [await once(commands, queries, number) for number in range(rounds)]
    whole, wait = zip(*taken, strict=True)
    return Sample({"whole": latencies(whole), "wait": latencies(wait)}, {"rounds": rounds, **_FACTS})


VISIBLE = Measurement("visible", "from a command to its effect in a view, on Kafka", _run)
