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


async def test_a_command_message_is_carried_out_and_answered(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(ORDERED)
    await send(log, count_by_topic("a", 5, id="x", correlationid="saga-7"))
    [reply] = await answered(log, 1)
    assert reply == ("done-x", DONE, "a", {"subject": "a"}, "saga-7", "x")
    assert await totals(log) == {"a": 5}
    assert (await count(host, "a")).state.sum == 6


async def test_attributes_of_a_command_message_are_copied_into_its_events(
    owners: Owners, log: FaultyLog
) -> None:
    await owners.host(ORDERED)
    more: dict[str, Any] = {
        "actor": "ann",
        "correlationid": "saga-7",
        "causationid": "event-3",
        "traceparent": "00-1-2-03",
        "undoes": "change-1",
    }
    await send(log, count_by_topic("a", id="x", **more))
    await worked_through(log)
    [event] = await envelopes(log)
    assert {name: event[name] for name in more} == more
    assert (event["commandid"], event["source"]) == ("x", "tally")


async def test_a_command_message_without_replyto_gets_no_answer(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", replyto=""))
    await worked_through(log)
    assert await totals(log) == {"a": 1}
    assert await replies(log) == []


async def test_events_answer_and_consumed_offset_are_one_append(owners: Owners, log: FaultyLog) -> None:
    await send(log, count_by_topic("a"))
    await owners.host(ORDERED)
    await worked_through(log)
    assert log.batches == [2]


async def test_command_messages_sent_before_the_start_are_carried_out(owners: Owners, log: FaultyLog) -> None:
    await send(log, *(count_by_topic(f"tally-{n % 7}", n) for n in range(1, 50)))
    await owners.host(ORDERED)
    assert len(await answered(log, 49)) == 49
    assert sum((await totals(log)).values()) == sum(range(50))


async def test_command_messages_of_one_aggregate_are_carried_out_in_order(
    owners: Owners, log: FaultyLog
) -> None:
    await owners.host(ORDERED)
    ids = [f"order-{n}" for n in range(30)]
    await send(log, *(count_by_topic("a", id=name) for name in ids))
    assert [reply.causation for reply in await answered(log, 30)] == ids
    assert [event["commandid"] for event in await envelopes(log)] == ids


@pytest.mark.parametrize("by", [0, 5])
async def test_a_repeated_command_message_is_answered_twice_and_carried_out_once(
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


async def test_a_command_message_without_events_is_consumed(owners: Owners, log: FaultyLog) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", 0), count_by_topic("a", 0, replyto=""))
    assert [reply.type for reply in await answered(log, 1)] == [DONE]
    await worked_through(log)
    assert await totals(log) == {}


async def test_a_refused_command_message_gets_the_reason_and_appends_no_event(
    owners: Owners, log: FaultyLog
) -> None:
    await owners.host(ORDERED)
    await send(log, by_topic("a", Count(must=True), id="x", correlationid="saga-7"))
    [reply] = await answered(log, 1)
    why = {"type": PROBLEM + "not-found", "detail": "nothing was counted yet"}
    assert reply == ("refused-x", REFUSED, "a", why, "saga-7", "x")
    assert await everything(log) == []


async def test_a_command_message_is_refused_only_after_reading_to_the_end(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host(ORDERED)
    log.readable.clear()
    await written(log, counted("a", 10, source="another"), partition=host.partition("a"))
    await send(log, by_topic("a", Count(must=True)))
    log.readable.set()
    assert [reply.type for reply in await answered(log, 1)] == [DONE]


async def test_command_messages_and_requests_share_batches_and_states(owners: Owners, log: FaultyLog) -> None:
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


async def test_many_command_messages_are_read_in_bounded_portions(owners: Owners, log: FaultyLog) -> None:
    many = 1700
    await send(log, *(count_by_topic("a", replyto="") for _ in range(many)))
    await owners.host(ORDERED)
    await worked_through(log)
    assert await totals(log) == {"a": many}
    assert max(log.batches) <= 500


async def test_a_command_message_is_carried_out_without_its_reply_topic(
    owners: Owners, log: FaultyLog
) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", 5, replyto="nowhere"), count_by_topic("a", 1))
    assert [reply.type for reply in await answered(log, 1)] == [DONE]
    assert await totals(log) == {"a": 6}


async def test_a_host_without_a_command_topic_reads_none(owners: Owners, log: FaultyLog) -> None:
    await send(log, count_by_topic("a", 5), NewRecord("b", b"", ANSWERS))
    host = await owners.host(TALLY)
    assert (await count(host, "a")).state.sum == 1
    assert await log.consumed("tally", ORDERED.commands, host.partition("a")) == 0


ORIGIN = "saga:orders/0@7"


async def test_a_command_of_a_process_that_comes_again_changes_nothing(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host(ORDERED)
    first = count_by_topic("a", 5, id="x", origin=ORIGIN)
    await send(log, first, first)  # in one batch
    await answered(log, 2)
    await send(log, first, count_by_topic("a", 3, id="y", origin="saga:orders/0@6"))
    assert {reply.type for reply in await answered(log, 4)} == {DONE}
    [event] = await envelopes(log)
    assert (event["origin"], event["commandid"], "commandhash" in event) == (ORIGIN, "x", False)
    assert (await count(host, "a")).state.sum == 6


async def test_origins_outlast_a_restart_and_a_state_store_that_is_lost(
    log: FaultyLog, owners: Owners
) -> None:
    await owners.host(ORDERED)
    await send(log, count_by_topic("a", 5, origin=ORIGIN))
    await answered(log, 1)
    await owners.stop()
    for restarted in (owners, Owners(log)):
        await restarted.host(ORDERED)
        await send(log, count_by_topic("a", 5, origin=ORIGIN))
        await worked_through(log)
        await restarted.stop()
    assert await totals(log) == {"a": 5}


async def test_a_sender_that_asks_for_refusals_gets_its_command_back_and_no_other_answer(
    owners: Owners, log: FaultyLog
) -> None:
    await owners.host(ORDERED)
    by = {"replies": "refusals", "correlationid": "order-1"}
    refused = by_topic("a", Count(must=True), id="x", origin=ORIGIN, **by)
    await send(log, refused, count_by_topic("b", 5, id="y", origin=ORIGIN, **by))
    await worked_through(log)
    [reply] = await replies(log)
    assert (reply.type, reply.correlation, reply.causation) == (REFUSED, "order-1", "x")
    assert msgspec.json.decode(reply.data["command"]) == msgspec.json.decode(refused.value)
    assert await totals(log) == {"b": 5}
