"""Instances switch to a generation that one has rebuilt; unused generations are dropped."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import asyncpg
import pytest
from support.counter_context import TOPIC, VIEW, counted, sums, totals, written
from support.instances import EVERY, PARTITIONS, Shared, split, until
from support.postgres import Server
from support.until import eventually
from support.views import BREAKS_HANDLER, BreakableView, answer, caught_up

from bookshelf.runtime.view.dead_letters import listed
from bookshelf.runtime.view.host import ViewHost

pytestmark = pytest.mark.needs("postgres")
SOURCE = f"memory/{TOPIC}"


def nothing(_done: int, _total: int) -> None:
    """No poll happens."""


async def one_schema(shared: Shared, *hosts: ViewHost) -> None:
    """Wait until the sets that were superseded are dropped."""
    async with asyncio.timeout(30):
        while len(await shared.schemas()) > 1:
            await asyncio.gather(*(host.rows.news() for host in hosts))


async def test_all_instances_switch_to_a_rebuilt_generation_and_the_former_one_is_dropped(
    shared: Shared,
) -> None:
    await shared.write(8)
    async with shared.instance() as one, shared.instance() as other:
        await split(one, other)
        former = one.rows.tables.name
        before = await other.current()
        await one.rebuild(nothing)
        await split(one, other)
        assert other.rows.tables.name == one.rows.tables.name != former
        assert await other.current() != before
        await shared.write(8)
        for host in (one, other):
            assert await answer(host, shared.log) == await totals(shared.log)
        await one_schema(shared, one, other)


async def test_during_a_rebuild_under_writes_no_query_fails_or_goes_back(shared: Shared) -> None:
    await shared.write(8)
    done = asyncio.Event()

    async def ask_on(host: ViewHost) -> int:
        least, asked = 0, 0
        while not done.is_set():
            await host.current()
            total = sum((await host.query(sums)).values())
            assert total >= least
            least, asked = total, asked + 1
        return asked

    async def rebuild_on(*hosts: ViewHost) -> None:
        for host in hosts:
            await host.rebuild(nothing)
        done.set()

    async with shared.instance() as one, shared.instance() as other:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(ask_on(host)) for host in (one, other)]
            tasks.create_task(rebuild_on(one, other, one))
            tasks.create_task(shared.write(40))
        assert all(task.result() > 0 for task in asking)
        for host in (one, other):
            assert await answer(host, shared.log) == await totals(shared.log)
        await split(one, other)
        await one_schema(shared, one, other)


async def test_two_concurrent_rebuilds_end_with_one_live_generation(shared: Shared) -> None:
    await shared.write(8)
    async with shared.instance() as one, shared.instance() as other:
        await asyncio.gather(one.rebuild(nothing), other.rebuild(nothing))
        await split(one, other)
        await shared.write(8)
        for host in (one, other):
            assert await answer(host, shared.log) == await totals(shared.log)
        await one_schema(shared, one, other)


async def test_a_rebuild_applies_dead_letters_for_all_instances(shared: Shared) -> None:
    fragile = BreakableView()
    async with shared.instance(fragile.view) as one, shared.instance(fragile.view) as other:
        await split(one, other)
        await written(shared.log, counted("a", BREAKS_HANDLER), counted("a", 1))
        await caught_up(other, shared.log)
        fragile.repaired = True
        await one.rebuild(nothing)
        await split(one, other)
        assert await other.query(sums) == {"a": BREAKS_HANDLER + 1}
        assert await listed(other.rows) == []


async def test_a_query_on_a_dropped_table_set_is_answered(shared: Shared) -> None:
    """As when its connections were cut just before another instance dropped the unused set."""
    await shared.write(8)
    async with shared.instance() as one, shared.instance() as other, shared.storage() as storage:
        await split(one, other)
        live = await storage.live(VIEW, SOURCE)
        beside = await storage.beside(VIEW, SOURCE)
        [former, _] = await shared.schemas()
        await storage.swap(VIEW, live, beside)

        async def dropped() -> bool:
            async with shared.server.admin(shared.name) as admin:
                with suppress(asyncpg.DeadlockDetectedError):  # with a batch of one of the hosts
                    await admin.execute(f'DROP SCHEMA IF EXISTS "{former}" CASCADE')
                    await admin.execute("DELETE FROM bookshelf.table_set WHERE state = 'former'")
                    return True
            return False

        await eventually(dropped, "the former set is dropped")
        for host in (one, other):
            await host.current()
            assert await answer(host, shared.log) == await totals(shared.log)
        await split(one, other)


async def test_instances_that_start_together_create_one_table_set(shared: Shared) -> None:
    await shared.write(4)
    async with AsyncExitStack() as stack:
        starting = (stack.enter_async_context(shared.instance()) for _ in range(PARTITIONS))
        hosts = await asyncio.gather(*starting)
        await split(*hosts)
        assert all(len(host.rows.followed) == 1 for host in hosts)
        assert len(await shared.schemas()) == 1
        for host in hosts:
            assert await answer(host, shared.log) == await totals(shared.log)


async def test_a_newer_version_exists_beside_the_old_one_until_that_is_unused(shared: Shared) -> None:
    await shared.write(4)
    newer = replace(VIEW, version=2)
    async with shared.instance() as old:
        async with shared.instance(newer) as new:
            assert (old.rows.followed, new.rows.followed) == (EVERY, EVERY)
            await shared.write(4)
            for host in (old, new):
                assert await answer(host, shared.log) == await totals(shared.log)
        assert len(await shared.schemas()) == 2
    async with shared.instance(newer) as again:
        assert await answer(again, shared.log) == await totals(shared.log)
        assert len(await shared.schemas()) == 1


async def test_tables_of_a_killed_rebuild_are_dropped_at_the_next_start(shared: Shared) -> None:
    async with shared.instance() as stays:
        async with shared.storage() as dies:
            await dies.beside(VIEW, SOURCE)
        assert len(await shared.schemas()) == 2
        async with shared.instance():
            assert len(await shared.schemas()) == 1
        assert await stays.query(sums) == {}


async def test_databases_of_the_same_log_do_not_share_a_group(
    postgres_server: Server, shared: Shared
) -> None:
    async with postgres_server.database() as name:
        elsewhere = Shared(postgres_server, name, shared.log)
        async with shared.instance() as one, elsewhere.instance() as other:
            await until(
                lambda: one.rows.followed == other.rows.followed == EVERY, (one, other), "both follow all"
            )
