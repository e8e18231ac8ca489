"""A process over every log: events become commands exactly once, whatever is lost, replayed or moved."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from support.counter_context import everything
from support.faulty import Fault, FaultyLog, full, landed, lets_through, lost
from support.stall import ORDER, SELLING, STOCK, TOPIC
from support.stall_run import Stall, all_read, append, come_to_rest, folded, placed, supplied
from support.until import eventually

from bookshelf.log.port import LogFault, NewRecord, Writer

ORDERS = 12


async def begun(log: FaultyLog) -> None:
    """Twelve orders that want more tea than there is, and cups enough."""
    await append(log, supplied("tea", 7), supplied("cup", 100))
    await append(log, *(placed(f"o{n}", tea=1, cup=2) for n in range(ORDERS)))


async def test_orders_are_approved_or_compensated(log: FaultyLog) -> None:
    async with Stall(log):
        await begun(log)
        found = await come_to_rest(log, ORDERS)
    assert sorted(found.ends.values()) == ["approved"] * 7 + ["canceled"] * 5
    assert (found.stocks["tea"].sold, found.stocks["cup"].sold) == (7, 14)


async def test_commands_carry_their_origin_actor_and_the_event_that_led_to_them(log: FaultyLog) -> None:
    async with Stall(log):
        await append(log, supplied("tea", 1), placed("o1", tea=1))
        await come_to_rest(log, 1)
    events = [(r, msgspec.json.decode(r.value)) for r in await everything(log, TOPIC)]
    [placement] = [(r, e) for r, e in events if e["type"] == "stall.order-placed.v1"]
    [held] = [e for _, e in events if e["type"] == "stall.units-held.v1"]
    [command] = [
        envelope
        for record in await everything(log, STOCK.commands)
        if (envelope := msgspec.json.decode(record.value))["type"] == "stall.hold-units.v1"
    ]
    position = f"{TOPIC}/{placement[0].partition}@{placement[0].offset}"
    assert command["origin"] == held["origin"] == f"selling:{position}"
    assert command["id"] == held["commandid"] == f"selling-{position.replace('/', '-').replace('@', '-')}-0"
    assert (command["correlationid"], command["causationid"]) == ("o1", placement[1]["id"])
    assert (command["actor"], command["source"]) == ("reader", "selling")
    assert (command["replyto"], command["replies"]) == (SELLING.answers, "refusals")


async def test_a_process_that_is_added_later_handles_the_past(log: FaultyLog) -> None:
    stall = Stall(log)
    for aggregate in (STOCK, ORDER):
        await stall.owners.host(aggregate)
    await begun(log)

    async def all_placed() -> bool:
        return len((await folded(log)).orders) == ORDERS

    await eventually(all_placed, "all orders are placed")
    await stall.host.start()
    await come_to_rest(log, ORDERS)
    await stall.__aexit__()


async def refuses(_writer: Writer, _records: Sequence[NewRecord]) -> Sequence[int]:
    msg = "nothing was written"
    raise LogFault(msg)


@pytest.mark.parametrize(("fault", "before"), [(lost, 1), (landed, 0), (landed, 4), (full, 2), (refuses, 3)])
async def test_after_a_fault_of_any_append_every_command_is_carried_out_once(
    log: FaultyLog, fault: Fault, before: int
) -> None:
    await begun(log)
    log.appends.extend([lets_through] * before + [fault])
    async with Stall(log):
        found = await come_to_rest(log, ORDERS)
    assert sorted(found.ends.values()) == ["approved"] * 7 + ["canceled"] * 5
    assert found.stocks["tea"].sold == 7
    assert not log.appends


async def test_lost_offsets_change_no_state_and_add_no_event(any_log: FaultyLog) -> None:
    await append(any_log, placed("o13", tea=13))
    async with Stall(any_log) as stall:
        await begun(any_log)
        await refused_and_at_rest(any_log)
        await all_read(stall)
    before = (await folded(any_log)).events
    any_log.forgetful = True
    async with Stall(any_log) as stall:  # all topics are read again from their beginning, commands too
        await append(any_log, supplied("bun", 1), placed("last", bun=1))

        async def ended() -> bool:
            return (await folded(any_log)).ends.get("last") == "approved"

        await eventually(ended, "the next order is approved")
        await all_read(stall)
        after = await folded(any_log)
    assert set(after.events) >= set(before)
    assert len(after.events) == len(before) + 6  # supplied, placed, held, answered, approved, sold


async def refused_and_at_rest(log: FaultyLog) -> None:
    async def rests() -> bool:
        found = await folded(log)
        ends = {name: end for name, end in found.ends.items() if name != "o13"}
        noted = "o13" in found.orders and found.orders["o13"].refusals == {"tea": "conflict"}
        held = any(stock.holds for stock in found.stocks.values())
        return noted and len(ends) == ORDERS and all(ends.values()) and not held

    await eventually(rests, "all orders but one have ended, and its refusal is noted")


async def test_instances_divide_the_partitions_and_take_over_from_each_other(any_log: FaultyLog) -> None:
    await append(any_log, supplied("tea", 7), supplied("cup", 100))
    former = await Stall(any_log).__aenter__()
    async with Stall(any_log) as following:
        async with asyncio.timeout(20):
            while not (former.host.positions and following.host.positions):  # noqa: ASYNC110 (no event for it)
                await asyncio.sleep(0.01)  # sleep: between two polls of the partitions
        await append(any_log, *(placed(f"o{n}", tea=1, cup=2) for n in range(ORDERS)))
        await former.host.stop()
        await former.owners.stop()
        found = await come_to_rest(any_log, ORDERS)
        assert following.host.positions.keys() == set(range(any_log.partitions(TOPIC)))
    assert sorted(found.ends.values()) == ["approved"] * 7 + ["canceled"] * 5


async def test_a_fenced_writer_is_opened_again_and_nothing_is_sent_twice(log: FaultyLog) -> None:
    async with Stall(log):
        await append(log, supplied("tea", 7))
        for n in range(4):
            for partition in range(log.partitions(TOPIC)):
                await log.plain.writer(SELLING.name, SELLING.dead_letters, partition)
            await append(log, placed(f"o{n}", tea=1))
            await come_to_rest(log, n + 1)
    assert (await folded(log)).stocks["tea"].sold == 4


async def test_the_commands_of_each_arrow_are_counted(log: FaultyLog) -> None:
    async with Stall(log) as stall:
        await append(log, supplied("tea", 1), placed("o1", tea=1))
        await come_to_rest(log, 1)
    text = stall.meters.page()[1].decode()
    for arrow in ("hold_units", "answer_line", "sell_units"):
        assert f'bookshelf_process_commands_total{{arrow="{arrow}",process="selling"}} 1.0' in text
