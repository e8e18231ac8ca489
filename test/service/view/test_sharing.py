"""Instances that share a database divide a view's partitions, and answer as one."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from support.counter_context import VIEW, counted, everything, sums, totals, written
from support.faulty import FaultyLog
from support.instances import EVERY, PARTITIONS, Shared, Zombies, split
from support.views import BREAKS_HANDLER, BreakableView, answer, caught_up, place

from bookshelf.runtime.view.apply import apply
from bookshelf.runtime.view.dead_letters import listed, retry
from bookshelf.runtime.view.host import NotCaughtUp, ViewHost
from bookshelf.storage.checkpoints import Superseded

pytestmark = pytest.mark.needs("postgres")


Pair = tuple[ViewHost, ViewHost]


async def test_two_instances_divide_the_partitions_and_both_show_all_rows(shared: Shared, pair: Pair) -> None:
    one, other = pair
    assert (len(one.rows.followed), len(other.rows.followed)) == (2, 2)
    await shared.write(8)
    for host in pair:
        assert await answer(host, shared.log) == await totals(shared.log)


async def test_a_single_instance_applies_all_partitions(shared: Shared) -> None:
    async with shared.instance() as host:
        assert host.rows.followed == EVERY


async def test_when_one_stops_the_other_takes_over(shared: Shared) -> None:
    async with shared.instance() as stays:
        async with shared.instance() as leaves:
            await split(stays, leaves)
            await shared.write(8)
        await split(stays)
        await shared.write(8)
        assert await answer(stays, shared.log) == await totals(shared.log)


async def test_instances_that_come_and_go_under_writes_lose_and_double_nothing(shared: Shared) -> None:
    async def come_and_go() -> None:
        for _ in range(4):
            async with shared.instance():
                pass

    async with shared.instance() as stays:
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(come_and_go())
            tasks.create_task(shared.write(80))
        assert await answer(stays, shared.log) == await totals(shared.log)


async def test_a_position_visible_at_one_instance_is_awaited_at_the_other(shared: Shared, pair: Pair) -> None:
    for partition in range(PARTITIONS):
        offset = await written(shared.log, counted(f"k{partition}", 1), partition=partition)
        for host in pair:
            await host.after([place(partition, offset)])
            assert (await host.query(sums))[f"k{partition}"] == 1


async def test_a_query_for_a_position_that_is_not_applied_is_answered_in_time(shared: Shared) -> None:
    shared.log = log = FaultyLog(shared.log)
    async with shared.instance(patience_s=0.05) as one, shared.instance(patience_s=0.05) as other:
        await split(one, other)
        log.readable.clear()
        offset = await written(log, counted("a", 1))
        for host in (one, other):
            with pytest.raises(NotCaughtUp):
                await host.after([place(0, offset)])


async def test_the_revision_moves_when_another_instance_has_changed_the_rows(
    shared: Shared, pair: Pair
) -> None:
    before = [await host.current() for host in pair]
    await written(shared.log, counted("a", 1))
    await caught_up(next(host for host in pair if 0 in host.rows.followed), shared.log)
    assert all([await host.current() != was for host, was in zip(pair, before, strict=True)])


async def test_the_revision_moves_when_an_operator_has_changed_the_rows_elsewhere(shared: Shared) -> None:
    fragile = BreakableView()
    async with shared.instance(fragile.view) as one, shared.instance(fragile.view) as other:
        await split(one, other)
        await written(shared.log, counted("a", BREAKS_HANDLER))
        for host in (one, other):
            await caught_up(host, shared.log)
        before = await other.current()
        assert await other.current() == before
        fragile.repaired = True
        assert await retry(one.rows) == 1
        assert await other.current() != before
        assert await other.query(sums) == {"a": BREAKS_HANDLER}
        assert await listed(other.rows) == []


async def test_concurrent_retries_apply_a_dead_letter_once(shared: Shared) -> None:
    fragile = BreakableView()
    async with shared.instance(fragile.view) as one, shared.instance(fragile.view) as other:
        await written(shared.log, counted("a", BREAKS_HANDLER), counted("a", 1), counted("b", BREAKS_HANDLER))
        await caught_up(one, shared.log)
        fragile.repaired = True
        applied = await asyncio.gather(*(retry(host.rows) for host in (one, other, one, other)))
        assert sum(applied) == 3
        assert await one.query(sums) == await totals(shared.log)


async def test_a_write_of_a_former_owner_is_superseded(shared: Shared, pair: Pair) -> None:
    await shared.write(4)
    records = [record for record in await everything(shared.log) if record.partition == 0]
    for host in pair:
        await caught_up(host, shared.log)
        with pytest.raises(Superseded):
            await host.rows.tables.write(lambda db: apply(db, VIEW, records, (0, 0, len(records), "")))
        assert await host.query(sums) == await totals(shared.log)


async def test_instances_that_all_apply_all_partitions_lose_and_double_nothing(shared: Shared) -> None:
    shared.log = Zombies(PARTITIONS)
    async with AsyncExitStack() as stack:
        hosts = [await stack.enter_async_context(shared.instance()) for _ in range(3)]
        assert all(host.rows.followed == EVERY for host in hosts)
        async with asyncio.timeout(30):
            await shared.write(80)
        for host in hosts:
            assert await answer(host, shared.log) == await totals(shared.log)
