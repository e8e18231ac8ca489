"""A view's rows are a fold of the log: each record is applied once, however often it is delivered."""

import asyncio

import pytest
from sqlalchemy import Connection
from support.counter_context import TOPIC, VIEW, counted, everything, said, sums, written
from support.faulty import FaultyLog
from support.views import Views, answer, caught_up, place

from bookshelf.log.port import LogFault
from bookshelf.runtime.view.apply import apply
from bookshelf.runtime.view.host import NotCaughtUp
from bookshelf.storage.checkpoints import Superseded, checkpoints
from bookshelf.storage.port import StorageFault


async def test_records_before_the_start_are_applied(views: Views, log: FaultyLog) -> None:
    await written(log, counted("a", 1), counted("b", 2))
    await written(log, counted("c", 3), partition=1)
    host = await views.host()
    assert await host.query(sums) == {"a": 1, "b": 2, "c": 3}
    assert host.fault is None


async def test_later_records_are_applied(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    before = host.revision
    await written(log, counted("a", 1), counted("a", 2))
    assert await answer(host, log) == {"a": 3}
    assert host.revision > before


async def test_a_duplicate_record_is_applied_once(views: Views, log: FaultyLog) -> None:
    one, other = counted("a", 1), counted("a", 2)
    await written(log, one, other, one)
    host = await views.host()
    assert await answer(host, log) == {"a": 3}
    await views.stop()
    await written(log, other)
    host = await views.host()
    assert await answer(host, log) == {"a": 3}


async def test_unknown_types_move_only_the_checkpoint(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    await written(log, said("test.from-the-future.v1", "a", b'{"x": 1}'))
    assert await answer(host, log) == {}
    assert await host.query(checkpoints) == {0: 1}


async def test_rows_and_checkpoint_move_together_or_not_at_all(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    await written(log, counted("a", 1))
    await caught_up(host, log)
    [record] = await everything(log)

    def broken(db: Connection) -> None:
        apply(db, VIEW, [record], (0, 1, 2, ""))
        msg = "the process ends here"
        raise ZeroDivisionError(msg)

    with pytest.raises(ZeroDivisionError):
        await host.rows.tables.write(broken)
    assert (await host.query(sums), await host.query(checkpoints)) == ({"a": 1}, {0: 1})


@pytest.mark.parametrize("move", [(0, 0, 1), (0, 1, 2), (0, 3, 4)])
async def test_a_former_instance_or_a_second_delivery_changes_nothing(
    views: Views, log: FaultyLog, move: tuple[int, int, int]
) -> None:
    host = await views.host()
    await written(log, counted("a", 1), counted("a", 1))
    await caught_up(host, log)
    records = await everything(log)
    with pytest.raises(Superseded):
        await host.rows.tables.write(lambda db: apply(db, VIEW, records, (*move, "")))
    assert (await host.query(sums), await host.query(checkpoints)) == ({"a": 2}, {0: 2})


async def test_an_overtaken_view_continues_at_the_checkpoint_of_the_rows(
    views: Views, log: FaultyLog
) -> None:
    host = await views.host()
    log.readable.clear()
    await written(log, counted("a", 1))
    records = await everything_now(log)
    await host.rows.tables.write(lambda db: apply(db, VIEW, records, (0, 0, 1, "")))
    log.readable.set()
    await written(log, counted("a", 5))
    assert await answer(host, log) == {"a": 6}


async def everything_now(log: FaultyLog) -> list:  # type: ignore[type-arg]
    log.readable.set()
    found = await everything(log)
    log.readable.clear()
    return found


async def test_a_log_that_cannot_be_read_is_read_again_later(views: Views, log: FaultyLog) -> None:
    log.tails.append(LogFault("no broker answers"))
    await written(log, counted("a", 1))
    host = await views.host()
    assert await answer(host, log) == {"a": 1}
    assert host.warning is None


async def test_a_failing_query_does_not_affect_others(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    with pytest.raises(StorageFault):
        await host.query(lambda db: db.exec_driver_sql("SELECT * FROM nowhere"))
    await written(log, counted("a", 1))
    assert await answer(host, log) == {"a": 1}


async def test_a_query_with_a_position_waits_until_the_view_has_applied_it(
    views: Views, log: FaultyLog
) -> None:
    host = await views.host()
    log.readable.clear()
    offset = await written(log, counted("a", 1))
    waiting = asyncio.ensure_future(host.after([place(0, offset)]))
    assert not (await asyncio.wait([waiting], timeout=0))[0]
    log.readable.set()
    async with asyncio.timeout(30):
        await waiting
    assert await host.query(sums) == {"a": 1}


async def test_a_query_that_waits_too_long_is_answered_behind(log: FaultyLog, views: Views) -> None:
    async with Views(log, views.storage, patience_s=0.01) as hasty:
        host = await hasty.host()
        log.readable.clear()
        offset = await written(log, counted("a", 1))
        with pytest.raises(NotCaughtUp, match="try again in a moment"):
            await host.after([place(0, offset)])


async def test_a_position_past_the_end_is_not_awaited(views: Views) -> None:
    host = await views.host()
    async with asyncio.timeout(30):
        await host.after([place(0, 0), place(1, 99), place(77, 0)])


async def test_applied_positions_and_those_of_other_topics_are_not_awaited(
    views: Views, log: FaultyLog
) -> None:
    host = await views.host()
    offset = await written(log, counted("a", 1))
    await caught_up(host, log)
    async with asyncio.timeout(30):
        await host.after([])
        await host.after([place(0, offset), place(0, 0)])
        await host.after([type(place(0, 0))("bookshelf", 0, 10**12)])


async def test_a_restart_continues_at_the_checkpoint(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    await written(log, counted("a", 1))
    await caught_up(host, log)
    await views.stop()
    await written(log, counted("a", 2))
    again = await views.host()
    assert await answer(again, log) == {"a": 3}
    assert host.view.topic == TOPIC
