"""Work whose effects stay goes on if its caller is cancelled; the cancellation is passed on at its end."""

import asyncio

import pytest

from bookshelf.concurrency import to_its_end


async def test_its_result_and_its_fault_are_those_of_the_caller() -> None:
    async def fails() -> None:
        msg = "the disk is full"
        raise OSError(msg)

    async def writes() -> str:
        return "written"

    assert await to_its_end(writes()) == "written"
    with pytest.raises(OSError, match="the disk is full"):
        await to_its_end(fails())


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_caller_waits_for_the_end_however_often_it_is_cancelled(fails: bool) -> None:  # noqa: FBT001 (a case)
    begun, going_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await going_on.wait()
        ended.set()
        if fails:
            msg = "the disk is full"
            raise OSError(msg)

    caller = asyncio.create_task(to_its_end(work()))
    await begun.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)  # sleep: a turn of the loop, in which the cancellation arrives
    assert not caller.done()
    going_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
