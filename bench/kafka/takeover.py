"""A partition moves from one owner to the next."""

import shutil
import time
from pathlib import Path

from bench import library
from bench.inside import newbook, sent
from bench.kafka.town import Town, town
from bench.measurement import Measurement, Plan, Sample

#: Books whose events are a million.
_BOOKS = 909_090
_FACTS = {
    "what": "one partition; its owner leaves as at a deployment, while the next one waits in the group",
    "seconds": "from the order to leave until the next owner has answered a command",
    "with the store": "the next owner has owned it before: its store lacks the last command only",
    "without": "the next owner reads every event",
    "leaves_s": "of those seconds: until the former owner had drained, stored and left",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    books = plan.count(_BOOKS)
    async with town(plan, folder, 1) as there:
        await there.fill(books)
        async with there.world("former") as world, newbook(world):
            pass  # its store is full now
        shutil.copytree(folder / "former", folder / "full")
        figures = {
            "with the store": await _moved(there, "full"),
            "without": await _moved(there, "empty"),
        }
    return Sample(figures, {"events": library.events(books), **_FACTS})


async def _moved(there: Town, to: str) -> dict[str, float]:
    async with there.world("former") as mine, there.world(to) as theirs, newbook(mine) as former:
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
