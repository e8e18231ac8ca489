"""Children of aggregates: their records are in the partition of their parent, whose end their owner heeds."""

import asyncio
import contextlib

import msgspec
import pytest
from support.child_context import (
    ITEM,
    BoxBurned,
    BoxMade,
    BoxPainted,
    Item,
    Put,
    Take,
    append_box,
    folded,
)
from support.counter_commands import ANSWERS, REFUSED, answered, send
from support.counter_context import TOPIC, everything
from support.faulty import FaultyLog
from support.fixed_infrastructure import NOW
from support.owners import Owners, ask, sent

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.log.port import partition_of
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.aggregate.read_state import ReadState

ITEMS = [f"box-{box}~i-{item}" for box in range(6) for item in range(4)]


async def test_a_child_without_a_parent_cannot_be_made(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(ITEM)
    with pytest.raises(NotFound):
        await ask(host, sent("box~i-1", Put()))
    await append_box(log, "box", BoxMade())
    log.readable.clear()  # the owner has not read the parent when the command comes
    asked = asyncio.ensure_future(ask(host, sent("box~i-1", Put())))
    asyncio.get_running_loop().call_soon(log.readable.set)
    assert (await asked).state == Item(number=1)


async def test_the_id_of_a_child_names_its_parent(owners: Owners) -> None:
    with pytest.raises(Invalid):
        await ask(await owners.host(ITEM), sent("box", Put()))


async def test_children_are_in_the_partition_of_their_parent(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(ITEM)
    for box in range(6):
        await append_box(log, f"box-{box}", BoxMade(), BoxPainted())
    await asyncio.gather(*(ask(host, sent(item, Put())) for item in ITEMS))
    count = log.partitions(TOPIC)
    found = {record.key: record.partition for record in await everything(log)}
    assert {key: found[key] for key in ITEMS} == {
        key: partition_of(key.partition("~")[0], count) for key in ITEMS
    }
    assert len(set(found.values())) > 1


async def test_keys_with_the_separator_keep_their_partition_where_there_are_no_children(
    owners: Owners, log: FaultyLog
) -> None:
    host, count = await owners.host(), log.partitions(TOPIC)
    assert [host.partition(key) for key in ITEMS] == [partition_of(key, count) for key in ITEMS]


async def test_what_follows_the_end_of_the_parent_has_no_effect(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(ITEM)
    await append_box(log, "box", BoxMade())
    await ask(host, sent("box~i-1", Put(by=3)))
    log.readable.clear()
    await append_box(log, "box", BoxBurned())  # between the last read of the owner and its append
    accepted = await ask(host, sent("box~i-1", Put(by=5)))
    assert accepted.state == Item(number=8)
    log.readable.set()
    assert (await ask(host, sent("box~i-1", ReadState()))).state == Item(number=3)
    with pytest.raises(NotFound):
        await ask(host, sent("box~i-1", Put()))
    taken = await ask(host, sent("box~i-1", Take()))
    assert taken.state == Item(number=0)
    assert await folded(log) == {"box~i-1": 0}


async def test_states_equal_the_fold_whatever_races_and_restarts_there_are(
    owners: Owners, log: FaultyLog
) -> None:
    """Some boxes burn while items are put in; later owners read stored states, or the log from its start."""
    host = await owners.host(ITEM)
    begun = asyncio.Event()
    for box in range(6):
        await append_box(log, f"box-{box}", BoxMade())

    async def put(item: str) -> None:
        for number in range(1, 11):
            with contextlib.suppress(NotFound):
                await ask(host, sent(item, Put(by=number)))
            begun.set()

    async def burn(box: int) -> None:
        await begun.wait()
        await append_box(log, f"box-{box}", BoxBurned(), BoxPainted())

    await asyncio.gather(*map(put, ITEMS), *map(burn, range(3)))
    expected = await folded(log)
    assert await numbers(host) == expected
    await owners.stop()
    assert await numbers(await owners.host(ITEM)) == expected
    await owners.stop()
    async with Owners(log) as later:
        assert await numbers(await later.host(ITEM)) == expected


async def numbers(host: AggregateHost) -> dict[str, int]:
    """Return the numbers of all items as their owner has them."""
    return {item: (await ask(host, sent(item, ReadState()))).state.number for item in ITEMS}


async def test_a_command_message_in_another_partition_is_refused_with_the_right_one(
    owners: Owners, log: FaultyLog
) -> None:
    await owners.host(ITEM)
    await append_box(log, "box", BoxMade())
    good = command_message(
        ITEM, Put(by=2), id="m-1", source="tests", subject="box~i-1", time=NOW, replyto=ANSWERS
    )
    right = partition_of("box", log.partitions(TOPIC))
    wrong = next(key for key in map(str, range(99)) if partition_of(key, log.partitions(TOPIC)) != right)
    await send(log, msgspec.structs.replace(good, partition_key=wrong))
    [refused] = await answered(log, 1)
    assert refused.type == REFUSED
    assert f"partition {right}, that of its parent box" in refused.data["detail"]
    await send(log, good)
    _, done = await answered(log, 2)
    assert done.type != REFUSED
    assert await folded(log) == {"box~i-1": 2}
