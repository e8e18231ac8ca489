"""The database is cut off, stopped, set back: nothing is lost or doubled, and instances come back."""

import asyncio

import pytest
from sqlalchemy import Connection
from sqlalchemy.util import await_only
from support.blackhole import blackhole
from support.counter_context import TOPIC, VIEW, counted, sums, totals, written
from support.instances import DEADLINE_S, PARTITIONS, Shared, split
from support.postgres import running
from support.views import Views, answer, caught_up, place

from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.view.host import NotCaughtUp, ViewHost
from bookshelf.storage import checkpoints
from bookshelf.storage.port import StorageFault
from bookshelf.storage.shared.database import Timeouts

pytestmark = pytest.mark.needs("postgres")
Pair = tuple[ViewHost, ViewHost]


async def well(host: ViewHost) -> None:
    """Wait until the host can answer and knows it."""
    async with asyncio.timeout(DEADLINE_S):
        while host.fault is not None:
            await host.rows.news()


async def test_cut_database_connections_lose_and_double_nothing(shared: Shared) -> None:
    async with shared.instance() as one, shared.instance() as other:
        await split(one, other)
        ended = 0
        for _ in range(8):
            await shared.write(8)
            await one.rows.news()  # into the first batches, or between them
            ended += await shared.cut()
        assert ended > 16
        for host in (one, other):
            assert await answer(host, shared.log) == await totals(shared.log)
            await well(host)


async def test_a_query_on_a_cut_connection_is_answered(shared: Shared) -> None:
    async with shared.instance() as host:
        await written(shared.log, counted("a", 1))
        assert await answer(host, shared.log) == {"a": 1}
        for _ in range(3):
            await shared.cut()
            await host.current()
            await shared.cut()
            assert await host.query(sums) == {"a": 1}


async def test_a_table_set_stays_in_use_after_its_connection_was_cut(shared: Shared) -> None:
    async with shared.instance() as host:
        await shared.cut()
        await host.current()  # it is held again from here on
        async with shared.instance() as other:
            await other.rebuild(lambda _done, _total: None)
            await split(host, other)
            assert await host.query(sums) == {}


async def test_a_stopped_server_is_reported_and_awaited() -> None:
    log = MemoryLog(PARTITIONS)
    with running() as server:
        async with server.database() as name:
            shared = Shared(server, name, log)
            async with shared.instance() as one, shared.instance() as other:
                await split(one, other)
                await shared.write(4)
                assert await answer(one, log) == await totals(log)
                await asyncio.to_thread(server.stop)
                with pytest.raises(StorageFault):
                    await one.current()
                with pytest.raises(StorageFault):
                    await one.query(sums)
                assert one.fault is not None
                await shared.write(8)
                await asyncio.to_thread(server.start)
                for host in (one, other):
                    await well(host)
                    assert await answer(host, log) == await totals(log)


async def test_an_instance_that_hangs_in_a_transaction_delays_others_for_a_bounded_time(
    shared: Shared, pair: Pair
) -> None:
    await shared.write(4)
    await caught_up(pair[0], shared.log)
    async with shared.storage(Timeouts(hung_s=0.2)) as hung:
        tables = await hung.live(VIEW, f"{shared.log.identity}/{TOPIC}")
        locked, over = asyncio.Event(), asyncio.Event()

        def hang(db: Connection) -> None:
            """As SIGSTOP leaves a process: its rows are locked, and it does nothing more."""
            checkpoints.edit(db)
            locked.set()
            await_only(over.wait())

        hanging = asyncio.create_task(tables.write(hang))
        await locked.wait()
        await shared.write(4)
        for host in pair:
            assert await answer(host, shared.log) == await totals(shared.log)
        over.set()
        with pytest.raises(StorageFault):
            await hanging


async def test_a_restored_older_database_is_filled_again(shared: Shared, pair: Pair) -> None:
    await shared.write(8)
    for host in pair:
        await caught_up(host, shared.log)
    async with shared.server.admin(shared.name) as admin:  # as after a failover that lost the newest commits
        [schema] = await shared.schemas()
        await admin.execute(f'SET search_path = "{schema}"')
        await admin.execute("UPDATE bookshelf_checkpoint SET off = 0")
        await admin.execute("DELETE FROM tally")
    for host in pair:
        async with asyncio.timeout(DEADLINE_S):
            while await host.query(sums) != await totals(shared.log):
                await host.rows.news()


async def test_a_read_by_position_is_not_answered_from_a_restored_older_database(
    shared: Shared, pair: Pair
) -> None:
    await shared.write(8)
    for host in pair:
        await caught_up(host, shared.log)
    ends = [(p, await shared.log.end(TOPIC, p)) for p in range(PARTITIONS)]
    positions = [place(partition, end - 1) for partition, end in ends if end]
    async with shared.server.admin(shared.name) as admin:
        [schema] = await shared.schemas()
        await admin.execute(f'SET search_path = "{schema}"')
        await admin.execute("BEGIN; DELETE FROM bookshelf_checkpoint; DELETE FROM tally; COMMIT")
    for host in pair:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    await host.after(positions)
                except NotCaughtUp:
                    continue
                break
        assert await host.query(sums) == await totals(shared.log)


async def test_a_hanging_database_is_reported_in_time_and_used_again_later(shared: Shared) -> None:
    hasty = Timeouts(connect_s=0.2, look_s=0.2, work_s=0.4)
    async with (
        blackhole(shared.server.port) as hole,
        shared.storage(hasty, shared.server.url(shared.name, port=hole.port)) as storage,
        Views(shared.log, storage) as views,
        shared.instance() as other,
    ):
        host = await views.host()
        await split(host, other)
        await shared.write(4)
        assert await answer(host, shared.log) == await totals(shared.log)
        hole.swallow()
        await shared.write(4)
        async with asyncio.timeout(DEADLINE_S):
            for ask in (host.current(), host.query(sums)):
                with pytest.raises(StorageFault):
                    await ask
        assert host.fault is not None
        hole.heal()
        await well(host)
        for one in (host, other):
            assert await answer(one, shared.log) == await totals(shared.log)
