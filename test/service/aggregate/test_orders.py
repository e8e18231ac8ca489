"""Commands that come by topic: decided like those by HTTP, answered where the sender asks for it, once."""

import asyncio
from typing import Any

import msgspec
import pytest
from support.counter_commands import (
    ANSWERS,
    DONE,
    ORDERED,
    REFUSED,
    answered,
    by_topic,
    count_by_topic,
    replies,
    send,
    worked_through,
)
from support.counter_context import TALLY, Count, counted, everything, totals, written
from support.faulty import FaultyLog, gate
from support.owners import Owners, count, sent

from bookshelf.log.port import NewRecord

PROBLEM = "urn:bookshelf:problem:"


async def envelopes(log: FaultyLog) -> list[dict[str, object]]:
    return [msgspec.json.decode(record.value) for record in await everything(log)]


async def test_an_order_is_carried_out_and_answered_to_its_sender(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(ORDERED)
    await send(log, count_by_topic("a", 5, id="x", correlationid="saga-7"))
    [reply] = await answered(log, 1)
    assert reply == ("done-x", DONE, "a", {"subject": "a"}, "saga-7", "x")
    assert await totals(log) == {"a": 5}
    assert (await count(host, "a")).state.sum == 6


async def test_what_the_order_says_of_itself_goes_into_its_events(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    more: dict[str, Any] = {
        "actor": "ann",
        "correlationid": "saga-7",
        "causationid": "event-3",
        "traceparent": "00-1-2-03",
    }
    await send(log, count_by_topic("a", id="x", **more))
    await worked_through(log)
    [event] = await envelopes(log)
    assert {name: event[name] for name in more} == more
    assert (event["commandid"], event["source"]) == ("x", "tally")


async def test_who_asks_for_no_answer_gets_none(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", replyto=""))
    await worked_through(log)
    assert await totals(log) == {"a": 1}
    assert await replies(log) == []


async def test_events_answer_and_the_move_past_the_order_are_one_append(
    owners: Owners, log: FaultyLog
) -> None:
    await send(log, count_by_topic("a"))
    await owners.host(ORDERED)
    await worked_through(log)
    assert log.batches == [2]


async def test_what_was_ordered_before_anyone_was_there_is_carried_out(
    owners: Owners, log: FaultyLog
) -> None:
    await send(log, *(count_by_topic(f"tally-{n % 7}", n) for n in range(1, 50)))
    await owners.host(ORDERED)
    assert len(await answered(log, 49)) == 49
    assert sum((await totals(log)).values()) == sum(range(50))


async def test_orders_to_one_aggregate_are_carried_out_in_their_order(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    ids = [f"order-{n}" for n in range(30)]
    await send(log, *(count_by_topic("a", id=name) for name in ids))
    assert [reply.causation for reply in await answered(log, 30)] == ids
    assert [event["commandid"] for event in await envelopes(log)] == ids


@pytest.mark.parametrize("by", [0, 5])
async def test_an_order_that_comes_twice_is_answered_twice_and_carried_out_once(
    owners: Owners, log: FaultyLog, by: int
) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", 1), count_by_topic("a", by, id="x"))
    await answered(log, 2)
    await send(log, count_by_topic("a", 7), count_by_topic("a", by, id="x"))
    found = [reply for reply in await answered(log, 4) if reply.causation == "x"]
    assert found[0] == found[1]
    assert found[0].type == DONE
    assert await totals(log) == {"a": 8 + by}
    assert sum(event["commandid"] == "x" for event in await envelopes(log)) == 1


async def test_the_same_id_with_another_content_is_refused(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", 1, id="x"), count_by_topic("a", 2, id="x"))
    first, second = await answered(log, 2)
    assert (first.type, second.type) == (DONE, REFUSED)
    assert second.data["type"] == PROBLEM + "key-reused"
    assert await totals(log) == {"a": 1}


async def test_an_order_with_nothing_to_say_is_worked_through(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", 0), count_by_topic("a", 0, replyto=""))
    assert [reply.type for reply in await answered(log, 1)] == [DONE]
    await worked_through(log)
    assert await totals(log) == {}


async def test_a_refusal_says_why_and_writes_nothing(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    await send(log, by_topic("a", Count(must=True), id="x", correlationid="saga-7"))
    [reply] = await answered(log, 1)
    why = {"type": PROBLEM + "not-found", "detail": "nothing was counted yet"}
    assert reply == ("refused-x", REFUSED, "a", why, "saga-7", "x")
    assert await everything(log) == []


async def test_no_order_is_refused_for_what_was_not_read_yet(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(ORDERED)
    log.readable.clear()
    await written(log, counted("a", 10, source="another"), partition=host.partition("a"))
    await send(log, by_topic("a", Count(must=True)))
    log.readable.set()
    assert [reply.type for reply in await answered(log, 1)] == [DONE]


async def test_orders_and_requests_share_their_batches_and_their_states(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host(ORDERED)
    reached, opened = asyncio.Event(), asyncio.Event()
    log.appends.append(gate(reached, opened))
    first = host.ask(sent("a", Count(by=1)))
    async with asyncio.timeout(30):
        await reached.wait()
        asked = [host.ask(sent("a", Count(by=1))) for _ in range(3)]
        await send(log, *(count_by_topic("a", 10) for _ in range(3)))
        opened.set()
        outcomes = await asyncio.gather(first, *asked)
    assert len(await answered(log, 3)) == 3
    assert {outcome.state.sum % 10 for outcome in outcomes} == {1, 2, 3, 4}
    assert await totals(log) == {"a": 34}


async def test_a_flood_of_orders_is_taken_a_share_at_a_time(owners: Owners, log: FaultyLog) -> None:
    many = 1700
    await send(log, *(count_by_topic("a", replyto="") for _ in range(many)))
    await owners.host(ORDERED)
    await worked_through(log)
    assert await totals(log) == {"a": many}
    assert max(log.batches) <= 500


async def test_an_order_is_done_also_if_its_answer_has_no_topic(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", 5, replyto="nowhere"), count_by_topic("a", 1))
    assert [reply.type for reply in await answered(log, 1)] == [DONE]
    assert await totals(log) == {"a": 6}


async def test_a_host_without_orders_reads_none(owners: Owners, log: FaultyLog) -> None:
    await send(log, count_by_topic("a", 5), NewRecord("b", b"", ANSWERS))
    host = await owners.host(TALLY)
    assert (await count(host, "a")).state.sum == 1
    assert await log.consumed("tally", ORDERED.commands, host.partition("a")) == 0
