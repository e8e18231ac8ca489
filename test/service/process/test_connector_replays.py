"""Whatever fails, restarts or is read again: each event leads to its command once, in order."""

import asyncio
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from support.charging import CHARGING, CardProvider, Charging, approve, letters_of
from support.counter_context import everything
from support.faulty import FaultyLog, landed, lost
from support.fixed_infrastructure import NOW, CountedIds, FixedClock
from support.stall import TOPIC
from support.stall_run import folded
from support.until import eventually

from bookshelf.cqrs.dead_letters import LetterRetried
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.process.dead_letters import letter_record

ORDERS = st.sampled_from(["o1", "o2", "o3", "o4"])
ACTIONS = st.one_of(
    st.tuples(st.just("approve"), ORDERS),
    st.tuples(st.just("fail"), ORDERS, st.integers(1, 7)),
    st.tuples(st.just("move"), st.sampled_from([1, 2, 60, 100_000])),
    st.tuples(st.just("work"), st.integers(1, 60)),
    st.tuples(st.just("restart"), st.booleans()),
    st.tuples(st.just("fault"), st.sampled_from([lost, landed])),
    st.tuples(st.just("hold"), ORDERS),
    st.just(("answer",)),
    st.just(("retry",)),
)


class Trial:
    """A connector over a log in memory, and the provider that it calls."""

    def __init__(self) -> None:
        self.log = FaultyLog(MemoryLog(2))
        self.provider = CardProvider()
        self.clock = FixedClock()
        self.running: Charging | None = None

    async def start(self) -> None:
        self.running = await Charging(self.log, self.provider, self.clock).__aenter__()

    async def stop(self) -> None:
        assert self.running is not None
        await self.running.__aexit__()

    async def carry_out(self, action: tuple[object, ...]) -> None:
        match action:
            case ("approve", str(order)):
                await approve(self.log, order)
            case ("fail", str(order), int(times)):
                self.provider.faults[order].extend([OSError("no answer")] * times)
            case ("move", int(seconds)):
                self.clock.move(timedelta(seconds=seconds))
            case ("work", int(times)):
                await work(times)
            case ("restart", bool(forgetful)):
                await self.stop()
                self.log.forgetful = forgetful
                await self.start()
            case ("fault", fault):
                self.log.appends.append(fault)  # type: ignore[arg-type]
            case ("retry",):
                await self.retry()
            case _:
                self.answer(action)

    def answer(self, action: tuple[object, ...]) -> None:
        """Let the provider answer from now on, or leave calls for an order without an answer."""
        if action == ("answer",):
            self.provider.answer()
        else:
            self.provider.held.add(str(action[1]))

    async def retry(self) -> None:
        """Request the retry of each dead letter that holds others back, as an operator does."""
        for partition, letters in enumerate(await letters_of(self.log)):
            writer = await self.log.plain.writer("operator", CHARGING.dead_letters, partition)
            await writer.append(
                [
                    letter_record(
                        "operator",
                        opened.key,
                        LetterRetried(position=opened.position),
                        CountedIds().new(),
                        NOW,
                    )
                    for opened in letters.heads()
                ]
            )

    async def approvals(self) -> dict[str, list[str]]:
        """Return the ids of the events, by order."""
        found: dict[str, list[str]] = {}
        for record in await everything(self.log.plain, TOPIC):
            event = msgspec.json.decode(record.value)
            if event["type"] == "stall.order-approved.v1":
                found.setdefault(record.key, []).append(event["id"])
        return found

    async def rests(self) -> bool:
        """Let time pass; return whether every event has led to its payment, and no dead letter is left."""
        self.clock.move(timedelta(minutes=5))
        if any(len(letters) for letters in await letters_of(self.log)):
            await self.retry()
            return False
        found = await folded(self.log.plain)
        wanted = await self.approvals()
        return all(len(found.orders[name].payments) >= len(ids) for name, ids in wanted.items())


async def work(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)  # sleep: lets the connector work for a while


async def run(actions: list[tuple[object, ...]]) -> None:
    trial = Trial()
    await trial.start()
    try:
        for action in actions:
            await trial.carry_out(action)
        trial.provider.faults.clear()
        trial.provider.answer()
        await eventually(trial.rests, "the connector comes to rest")
        await trial.carry_out(("restart", True))
        await approve(trial.log, "o1")
        await eventually(trial.rests, "the connector comes to rest after it has read everything again")
        found = await folded(trial.log.plain)
        for name, ids in (await trial.approvals()).items():
            charged = [trial.provider.charged[id_] for id_ in ids]
            assert list(found.orders[name].payments) == charged, name
    finally:
        await trial.stop()


@settings(max_examples=15, deadline=None)
@given(st.lists(ACTIONS, min_size=4, max_size=25))
def test_each_event_leads_to_its_command_once_and_in_order(actions: list[tuple[object, ...]]) -> None:
    asyncio.run(run(actions))
