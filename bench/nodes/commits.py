"""Measures changes of a setting until the last node serves them, and the rounds of votes of each."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.figures import latencies, percentile
from bench.measurement import BenchFault, Figures
from bench.nodes.fleet import DOMAIN, BenchFleet, now
from bench.nodes.processors import Processors
from bookshelf.cluster.events import EVENTS, TOPIC, PhaseRequested, RevisionCommitted, RolloutPrepared
from bookshelf.concurrency import cancel_and_wait
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import Topic
from bookshelf.log.port import NewRecord, partition_of

_BARE = "bare"
#: Changes before those that are measured: the broker is a program of Java that was just started.
_WARM_UP = 40


class VoteRounds:
    """Reads the records of the domain, and notes how long each phase took from its request to its end."""

    def __init__(self) -> None:
        #: Seconds of the rounds of each phase.
        self.taken_s: defaultdict[str, list[float]] = defaultdict(list)
        self._phase, self._began = "", 0.0

    def note(self, event: object, moment: float) -> None:
        """Take the next event of the domain."""
        if not isinstance(event, PhaseRequested | RolloutPrepared | RevisionCommitted):
            return
        if self._phase:
            self.taken_s[self._phase].append(moment - self._began)
        self._phase = event.phase if isinstance(event, PhaseRequested) else ""
        self._began = moment

    def figures(self) -> dict[str, float]:
        """Return the median of each phase, and of all of them, in milliseconds."""
        medians = {f"{name}_p50_ms": 1e3 * percentile(taken, 50) for name, taken in self.taken_s.items()}
        together = [seconds for taken in self.taken_s.values() for seconds in taken]
        return medians | {"p50_ms": 1e3 * percentile(together, 50)}


@asynccontextmanager
async def _watched(fleet: BenchFleet) -> AsyncIterator[VoteRounds]:
    log = await KafkaLog.look(fleet.network.kafka, [TOPIC])
    partition = partition_of(DOMAIN, log.partitions(TOPIC))
    tail = await log.tail(TOPIC, partition, await log.end(TOPIC, partition))
    rounds = VoteRounds()

    async def read() -> None:
        while True:
            for record in await tail.take(500):
                rounds.note(EVENTS.read(record.value)[1], now())

    reading = asyncio.create_task(read())
    try:
        yield rounds
        if reading.done():
            reading.result()
    finally:
        await cancel_and_wait(reading)
        await tail.close()
        await log.close()


class _Rounds:
    """Changes one after the other; those that are not committed are counted, as a silent node is a result."""

    def __init__(self, fleet: BenchFleet) -> None:
        self._fleet = fleet
        self._number = 0
        self.failed = 0

    async def change(self) -> list[float]:
        """Return the seconds from a proposal with its commit until the last node serves the change."""
        before, began = self._fleet.counts(), now()
        answer = await self._fleet.propose(self._next(), commit=True)
        if not await self._has(answer, "committed"):
            return []
        return [await self._fleet.all_resumed(before) - began]

    async def commit(self) -> list[tuple[float, float]]:
        """Return the seconds until a change is prepared, and those from its commit until it is served."""
        before, began = self._fleet.counts(), now()
        prepared = await self._fleet.propose(self._next())
        if not await self._has(prepared, "prepared"):
            return []
        ordered = now()
        if not await self._has(await self._fleet.commit(prepared["rollout"]), "committed"):
            return []
        return [(ordered - began, await self._fleet.all_resumed(before) - ordered)]

    async def _has(self, answer: Mapping[str, object], state: str) -> bool:
        if answer.get("state") == state:
            return True
        self.failed += 1
        await self._fleet.settled()
        return False

    def _next(self) -> dict[str, str]:
        self._number += 1
        return setting(self._number)


async def measure_commits(fleet: BenchFleet, rounds: int) -> Figures:
    """Return the times of so many changes with their commit, and of commits of prepared changes.

    `node_ms` and `owner_ms`: the processor time of a node, and of the service `rollouts`, for each of them.
    """
    each = _Rounds(fleet)
    for _ in range(min(rounds, _WARM_UP)):
        await each.change()
    each.failed, processors = 0, Processors(fleet)
    async with _watched(fleet) as votes:
        changed_s = [taken for _ in range(rounds) for taken in await each.change()]
        commits = [taken for _ in range(rounds) for taken in await each.commit()]
    if not changed_s or not commits:
        raise BenchFault("no rollout was committed: a node was silent in each of them")
    used = {name: 1e3 * seconds / (2 * rounds) for name, seconds in processors.used_s().items()}
    parts = {
        "changed": changed_s,
        "prepared": [prepared for prepared, _ in commits],
        "committed": [committed for _, committed in commits],
    }
    times = {f"{part}_{name}": ms for part, taken in parts.items() for name, ms in latencies(taken).items()}
    times |= {f"{name}_ms": ms for name, ms in used.items()}
    return {"changes": times | {"failed": float(each.failed)}, "votes": votes.figures()}


def setting(number: int) -> dict[str, str]:
    """Return a change of a setting that differs from those of other numbers."""
    return {"kind": "settings", "content": f"gateway_deadline_s = {5 + number % 100}.{number // 100}\n"}


async def measure_appends(fleet: BenchFleet, rounds: int) -> dict[str, float]:
    """Return how long the log itself needs from an append until a tail has the record."""
    log = await KafkaLog.open(fleet.network.kafka, [Topic(_BARE)])
    writer = await log.writer(_BARE, _BARE, 0)
    tail = await log.tail(_BARE, 0, await log.end(_BARE, 0))
    taken_s: list[float] = []
    try:
        for number in range(2 * rounds):
            began = now()
            reading = asyncio.create_task(tail.take(1))
            await writer.append([NewRecord(_BARE, b"%d" % number)])
            while not await reading:  # the position has moved over the marker of a transaction
                reading = asyncio.create_task(tail.take(1))
            taken_s.append(now() - began)
    finally:
        await tail.close()
        await writer.close()
        await log.close()
    return latencies(taken_s[rounds:])
