"""Under load a view collects records into batches, which does not delay waiting queries."""

import asyncio

from support.counter_context import counted, written
from support.faulty import FaultyLog
from support.until import eventually
from support.views import DEADLINE_S, Views, answer, caught_up, place

MANY = [counted(f"many-{number}", 1) for number in range(50)]


async def test_a_late_record_is_applied_for_a_waiting_query(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    for _ in range(3):
        await written(log, *MANY)
        offset = await written(log, counted("one", 1))
        await host.after([place(0, offset)])
        assert host.rows.reaches({0: offset + 1})
    assert (await answer(host, log))["one"] == 3


async def test_a_late_record_is_applied_without_a_waiting_query(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    await written(log, *MANY)
    await caught_up(host, log)
    offset = await written(log, counted("one", 1))

    async def there() -> bool:
        return host.rows.reaches({0: offset + 1})

    await eventually(there, "the record is in")


async def test_a_view_stops_while_it_collects_a_batch(views: Views, log: FaultyLog) -> None:
    host = await views.host()
    await written(log, *MANY)
    await caught_up(host, log)
    async with asyncio.timeout(DEADLINE_S):
        await host.rows.stop()
    assert host.fault is None
