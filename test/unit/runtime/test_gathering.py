"""Calls that lead to one decision go on together."""

import asyncio

from support.until import eventually

from bookshelf.runtime.agent.gathering import Gathering


class Calls:
    """Calls of one group, in the order in which they have gone on."""

    def __init__(self, within_s: float = 60.0) -> None:
        self._gathering = Gathering(within_s)
        self._tasks = list[asyncio.Task[None]]()
        self.done = list[str]()

    async def begin(self, member: str, size: int = 3, *, key: str = "phase", decides: bool = False) -> None:
        async def call() -> None:
            await self._gathering.join(key, member, size, decides=decides)
            self.done.append(member)

        self._tasks.append(asyncio.create_task(call()))
        for _ in range(3):
            await asyncio.sleep(0)  # sleep: a call that need not wait goes on in the next turns of the loop

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_calls_wait_for_the_last_one_and_then_go_on_together() -> None:
    calls = Calls()
    await calls.begin("a")
    await calls.begin("b")
    assert calls.done == []
    await calls.begin("c")
    assert sorted(calls.done) == ["a", "b", "c"]


async def test_a_repeated_call_is_counted_once() -> None:
    calls = Calls()
    for member in ("a", "a", "b"):
        await calls.begin(member)
    assert calls.done == []
    await calls.end()


async def test_one_that_decides_lets_the_others_go_on() -> None:
    calls = Calls()
    await calls.begin("a")
    await calls.begin("b", decides=True)
    assert sorted(calls.done) == ["a", "b"]


async def test_groups_do_not_wait_for_each_other() -> None:
    calls = Calls()
    await calls.begin("a", 2, key="one")
    await calls.begin("b", 2, key="other")
    assert calls.done == []
    await calls.end()


async def test_after_the_time_the_waiting_calls_go_on_and_the_last_one_waits_for_none() -> None:
    calls = Calls(0.001)
    await calls.begin("a")

    async def gone() -> bool:
        return calls.done == ["a"]

    await eventually(gone, "the first goes on")
    await calls.begin("b", 2)
    assert calls.done == ["a", "b"]


async def test_one_of_an_unknown_size_waits_for_none() -> None:
    calls = Calls()
    await calls.begin("a", 0)
    assert calls.done == ["a"]
