"""One clock for all deadlines: what is over is ended, and nothing else is."""

import asyncio

import pytest

from bookshelf.concurrency import SharedTimer

LONG_S = 10.0


async def waits(deadlines: SharedTimer, seconds: float) -> None:
    with deadlines.within(seconds):
        await asyncio.Event().wait()


async def test_work_past_its_deadline_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        await waits(SharedTimer(), 0.01)


async def test_each_task_has_its_own_deadline() -> None:
    deadlines = SharedTimer()
    long = asyncio.ensure_future(waits(deadlines, LONG_S))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await waits(deadlines, 0.01)
    assert not long.done()
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_work_that_ends_in_time_is_not_cancelled() -> None:
    deadlines = SharedTimer()
    with deadlines.within(0.02) as first:
        pass
    with pytest.raises(TimeoutError):  # the clock has ticked past both
        await waits(deadlines, 0.04)
    assert not first.expired()


async def test_a_postponed_deadline_expires_later() -> None:
    deadlines = SharedTimer()
    with deadlines.within(0.01) as first:
        first.reschedule(asyncio.get_running_loop().time() + LONG_S)
        with pytest.raises(TimeoutError):
            await waits(deadlines, 0.05)
    assert not first.expired()


async def test_a_cancellation_from_outside_is_passed_on() -> None:
    task = asyncio.ensure_future(waits(SharedTimer(), LONG_S))
    await asyncio.sleep(0)  # sleep: until it waits
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_faults_are_raised_unchanged() -> None:
    with pytest.raises(ValueError, match="its own"), SharedTimer().within(LONG_S):
        raise ValueError("its own")
