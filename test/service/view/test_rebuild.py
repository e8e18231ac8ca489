"""A rebuild beside the live generation: no query fails, and the new rows are equal."""

import asyncio
from dataclasses import replace

import pytest
from support.counter_context import VIEW, counted, sums, totals, written
from support.faulty import FaultyLog
from support.views import BREAKS_HANDLER, BreakableView, Views, answer, caught_up

from bookshelf.runtime.view.dead_letters import listed

KEYS = "abcdefgh"


def nothing(_done: int, _total: int) -> None:
    """No poll happens."""


async def write_on(log: FaultyLog, turns: int) -> None:
    for n in range(turns):
        await written(log, *(counted(key, n) for key in KEYS), partition=n % 2)


async def test_a_rebuild_under_writes_and_queries_gives_equal_rows_and_fails_no_query(
    views: Views, log: FaultyLog
) -> None:
    await write_on(log, 20)
    host = await views.host()
    done = asyncio.Event()

    async def ask_on() -> int:
        asked, least = 0, 0
        while not done.is_set():
            total = sum((await host.query(sums)).values())
            assert total >= least  # never back in time
            asked, least = asked + 1, total
            await asyncio.sleep(0)  # sleep: others have their turn, as between requests
        return asked

    async def rebuild_on() -> None:
        for _ in range(3):
            await host.rebuild(nothing)
        done.set()

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask_on())
        tasks.create_task(rebuild_on())
        tasks.create_task(write_on(log, 40))
    assert asking.result() > 0
    assert await answer(host, log) == await totals(log)
    await written(log, counted("a", 1000))
    assert await answer(host, log) == await totals(log)


async def test_a_rebuild_reports_its_progress(views: Views, log: FaultyLog) -> None:
    await write_on(log, 10)
    host = await views.host()
    progress: list[tuple[int, int]] = []
    async with asyncio.timeout(30):
        await host.rebuild(lambda done, total: progress.append((done, total)))
    assert progress[-1] == (80, 80)
    assert progress == sorted(progress)


async def test_a_rebuild_changes_the_revision(views: Views, log: FaultyLog) -> None:
    await write_on(log, 1)
    host = await views.host()
    before = host.revision
    await host.rebuild(nothing)
    assert host.revision > before


async def test_the_rebuilt_rows_are_the_live_ones_after_a_restart(views: Views, log: FaultyLog) -> None:
    await write_on(log, 2)
    host = await views.host()
    await host.rebuild(nothing)
    await views.stop()
    again = await views.host()
    assert await answer(again, log) == await totals(log)


async def test_a_rebuild_with_a_fixed_handler_has_no_dead_letters(views: Views, log: FaultyLog) -> None:
    fragile = BreakableView()
    host = await views.host(fragile.view)
    await written(log, counted("a", BREAKS_HANDLER), counted("a", 1))
    await caught_up(host, log)
    fragile.repaired = True
    await host.rebuild(nothing)
    assert await host.query(sums) == {"a": BREAKS_HANDLER + 1}
    assert await listed(host.rows) == []


async def test_a_cancelled_rebuild_keeps_the_live_rows(views: Views, log: FaultyLog) -> None:
    await write_on(log, 2)
    host = await views.host()

    def enough(_done: int, _total: int) -> None:
        msg = "the reader is gone"
        raise BrokenPipeError(msg)

    with pytest.raises(BrokenPipeError):
        await host.rebuild(enough)
    await write_on(log, 2)
    assert await answer(host, log) == await totals(log)
    await host.rebuild(nothing)
    assert await answer(host, log) == await totals(log)


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
async def test_rows_of_another_version_of_the_view_are_not_continued(views: Views, log: FaultyLog) -> None:
    await write_on(log, 2)
    await views.host()
    await views.stop()
    doubled = replace(VIEW, version=2)
    host = await views.host(doubled)
    assert await answer(host, log) == await totals(log)
