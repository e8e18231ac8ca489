"""The deadlines of a partition: however many there are, the first is known, and few are in memory."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fixed_infrastructure import NOW
from support.timers import TIMER, Timer

from bookshelf.runtime.aggregate.deadlines import DeadlineQueue, moment_of
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import MemoryStateStore

MOST = 3


def at(minute: int) -> str:
    return moment_of(NOW + timedelta(minutes=minute))


class Desk:
    """Deadlines over states that are set by hand."""

    def __init__(self) -> None:
        self._states = StateCache(TIMER, MemoryStateStore(), None)
        self._offset = 0
        self.deadlines = DeadlineQueue(TIMER, self._states, MOST)

    def set(self, key: str, minute: int | None) -> None:
        """An event has come."""
        when = None if minute is None else NOW + timedelta(minutes=minute)
        self._states.put(key, AggregateSnapshot(Timer(when=when), self._offset))
        self._offset += 1
        self.deadlines.note([key])

    async def store(self) -> None:
        await self._states.flush(self._offset)

    async def first(self) -> str | None:
        return await self.deadlines.first(self.store)

    async def fired(self, minute: int) -> list[str]:
        """Everything that is due, in the order in which it comes, and is then no longer due."""
        found: list[str] = []
        while (first := await self.first()) is not None and first <= at(minute):
            keys = self.deadlines.by(at(minute), 2)
            for key in keys:
                self.set(key, None)
            found += keys
        return found


def test_the_first_deadline_is_found_whatever_the_order_of_insertion() -> None:
    async def run() -> None:
        desk = Desk()
        assert await desk.first() is None
        for minute in (5, 9, 2, 7):
            desk.set(f"timer-{minute}", minute)
        assert await desk.first() == at(2)
        desk.set("timer-2", None)
        assert await desk.first() == at(5)
        desk.set("timer-9", 1)
        assert await desk.first() == at(1)

    asyncio.run(run())


def test_most_deadlines_are_in_the_store_and_few_in_memory() -> None:
    async def run() -> None:
        desk = Desk()
        assert await desk.first() is None
        for minute in range(500):
            desk.set(f"timer-{minute}", 1000 - minute)
        assert len(desk.deadlines) <= 2 * MOST
        found = await desk.fired(2000)
        assert found == [f"timer-{minute}" for minute in reversed(range(500))]

    asyncio.run(run())


def test_many_deadlines_of_the_same_moment_are_all_found() -> None:
    async def run() -> None:
        desk = Desk()
        for number in range(50):
            desk.set(f"timer-{number}", 5)
        assert sorted(await desk.fired(5)) == sorted(f"timer-{number}" for number in range(50))
        assert await desk.first() is None

    asyncio.run(run())


def test_a_postponed_deadline_is_found_at_its_new_time() -> None:
    async def run() -> None:
        desk = Desk()
        for minute in range(20):
            desk.set(f"timer-{minute}", minute)
        assert await desk.first() == at(0)
        [key] = desk.deadlines.by(at(0), 2)
        desk.deadlines.put_off(key, at(10))
        assert await desk.fired(9) == [f"timer-{minute}" for minute in range(1, 10)]
        assert sorted(await desk.fired(10)) == [key, "timer-10"]
        assert await desk.fired(30) == [f"timer-{minute}" for minute in range(11, 20)]

    asyncio.run(run())


def test_a_deadline_without_a_time_zone_is_ignored() -> None:
    states = StateCache(TIMER, MemoryStateStore(), None)
    states.put("a", AggregateSnapshot(Timer(when=NOW.replace(tzinfo=None))))
    deadlines = DeadlineQueue(TIMER, states)
    deadlines.note(["a"])
    assert len(deadlines) == 0
    with pytest.raises(ValueError, match="no time zone"):
        moment_of(NOW.replace(tzinfo=None))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abcdefghijkl"), st.none() | st.integers(0, 20)),
        st.just("store"),
        st.just("first"),
        st.integers(0, 20),
    ),
    max_size=80,
)


@settings(max_examples=75, deadline=None)
@given(STEPS)
def test_exactly_the_due_deadlines_are_found(steps: list[object]) -> None:
    async def run() -> None:
        desk, model = Desk(), dict[str, int]()
        for step in steps:
            match step:
                case (str(key), int() | None as minute):
                    desk.set(key, minute)
                    model.pop(key, None)
                    if minute is not None:
                        model[key] = minute
                case "store":
                    await desk.store()
                case "first":
                    assert await desk.first() == (at(min(model.values())) if model else None)
                case int(now):
                    due = sorted(key for key, minute in model.items() if minute <= now)
                    assert sorted(await desk.fired(now)) == due
                    model = {key: minute for key, minute in model.items() if minute > now}

    asyncio.run(run())
