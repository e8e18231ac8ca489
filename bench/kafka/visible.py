"""From a command to its effect in a view that another process keeps."""

from pathlib import Path

from bench.figures import latencies
from bench.kafka.town import town
from bench.line import line
from bench.measurement import Measurement, Plan, Sample
from bench.visible import once

_ROUNDS = 500
_FACTS = {
    "whole": "from the POST to newbook sent to the GET from booklist answered with the new book",
    "wait": "from the POST answered to the GET answered, which names the POST's position in Bookshelf-After",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    rounds = plan.count(_ROUNDS)
    async with (
        town(plan, folder) as there,
        there.instance("newbook") as newbook,
        there.instance("booklist") as booklist,
        line(newbook.services["newbook"]) as told,
        line(booklist.services["booklist"]) as asked,
    ):
        for number in range(min(rounds, 50)):  # what is cold is not what is measured
            await once(told, asked, number)
        taken = [await once(told, asked, number) for number in range(rounds)]
    whole, wait = zip(*taken, strict=True)
    return Sample({"whole": latencies(whole), "wait": latencies(wait)}, {"rounds": rounds, **_FACTS})


VISIBLE = Measurement("visible", "from a command to its effect in a view, on Kafka", _run)
