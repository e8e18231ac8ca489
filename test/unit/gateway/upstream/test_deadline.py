"""One clock for all deadlines: what is over is ended, and nothing else is."""

import asyncio

import pytest

from gateway.upstream.shared_timer import SharedTimer

LONG_S = 10.0


async def waits(deadlines: SharedTimer, seconds: float) -> None:
    with deadlines.within(seconds):
        await asyncio.Event().wait()


async def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError):
        await waits(SharedTimer(), 0.01)


async def test_each_has_its_own_time() -> None:
    deadlines = SharedTimer()
    long = asyncio.ensure_future(waits(deadlines, LONG_S))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await waits(deadlines, 0.01)
    assert not long.done()
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_what_ends_in_time_is_let_be() -> None:
    deadlines = SharedTimer()
    with deadlines.within(0.02) as first:
        pass
    with pytest.raises(TimeoutError):  # the clock has ticked past both
        await waits(deadlines, 0.04)
    assert not first.expired()


async def test_one_that_is_put_off_is_over_later() -> None:
    deadlines = SharedTimer()
    with deadlines.within(0.01) as first:
        first.reschedule(asyncio.get_running_loop().time() + LONG_S)
        with pytest.raises(TimeoutError):
            await waits(deadlines, 0.05)
    assert not first.expired()


async def test_who_was_cancelled_by_someone_else_is_cancelled() -> None:
    task = asyncio.ensure_future(waits(SharedTimer(), LONG_S))
    await asyncio.sleep(0)  # sleep: until it waits
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_other_faults_pass_as_they_are() -> None:
    with pytest.raises(ValueError, match="its own"), SharedTimer().within(LONG_S):
        raise ValueError("its own")
