"""A connector over every log: calls at least once, commands once, retries that outlast a restart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from support.charging import CHARGING, CardProvider, Charging, approve, paid, with_open
from support.counter_context import everything
from support.faulty import FaultyLog, FaultyWriter, landed, lost
from support.fixed_infrastructure import CountedIds, FixedClock
from support.stall import ORDER, TOPIC
from support.stall_run import folded
from support.until import eventually

from bookshelf.cqrs.position import Position, parse_position
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Consumed, LogFault, NewRecord, partition_of
from bookshelf.runtime.process.operations import ProcessLetterOperations
from bookshelf.runtime.process.provider import MOST_CALLS
from bookshelf.runtime.service_operations import drop

SECOND = timedelta(seconds=1)


async def called(provider: CardProvider, count: int) -> None:
    async def enough() -> bool:
        return len(provider.calls) >= count

    await eventually(enough, f"the provider is called {count} times")


async def test_a_call_has_the_id_of_its_event_as_key_and_its_commands_have_its_position(
    log: FaultyLog,
) -> None:
    provider = CardProvider()
    async with Charging(log, provider):
        await approve(log, "o1")
        found = await paid(log, "o1")
    [record] = [record for record in await everything(log, TOPIC) if b"order-approved" in record.value]
    event = msgspec.json.decode(record.value)
    assert provider.calls == [("o1", event["id"])]
    assert found.orders["o1"].payments == (provider.charged[event["id"]],)
    [message] = [msgspec.json.decode(record.value) for record in await everything(log, ORDER.commands)]
    position = f"{TOPIC}/{record.partition}@{record.offset}"
    assert message["origin"] == f"charging:{position}"
    assert (message["replyto"], message["replies"]) == (CHARGING.answers, "refusals")
    assert (message["correlationid"], message["causationid"]) == ("o1", event["id"])


async def test_calls_run_side_by_side_up_to_a_number_and_one_for_each_subject(log: FaultyLog) -> None:
    provider = CardProvider()
    orders = ["o1", *(f"o{n}" for n in range(MOST_CALLS + 8))]
    provider.held.update(orders)
    async with Charging(log, provider):
        await approve(log, *orders)
        await called(provider, MOST_CALLS)
        assert len(provider.running) == len(set(provider.running)) == MOST_CALLS
        provider.answer()
        await paid(log, *orders)
    assert len(provider.calls) == len(orders)


async def test_a_failed_call_is_a_dead_letter_at_once_and_made_again_after_a_growing_pause(
    log: FaultyLog,
) -> None:
    provider, clock = CardProvider(), FixedClock()
    provider.faults["bad"].extend([OSError("no such card")] * 2)
    async with Charging(log, provider, clock) as charging:
        await approve(log, "bad", "good")
        await with_open(log, "bad")
        await paid(log, "good")
        assert charging.host.warning == "process charging has 1 dead letters"
        clock.move(SECOND)
        await with_open(log, "bad", attempts=2)
        clock.move(SECOND)  # the second pause takes two
        await approve(log, "later")
        await paid(log, "good", "later")
        assert [order for order, _ in provider.calls].count("bad") == 2
        clock.move(SECOND)
        await paid(log, "good", "later", "bad")
        await with_open(log)
    assert len({key for order, key in provider.calls if order == "bad"}) == 1


async def test_later_events_of_the_subject_follow_in_their_order(log: FaultyLog) -> None:
    provider, clock = CardProvider(), FixedClock()
    provider.faults["bad"].append(OSError("no such card"))
    async with Charging(log, provider, clock):
        await approve(log, "bad", "bad", "bad")
        await with_open(log, "bad", "bad", "bad")
        assert len(provider.calls) == 1
        clock.move(SECOND)
        found = await paid(log, "bad", "bad", "bad")
        await with_open(log)
    events = [record for record in await everything(log, TOPIC) if b"order-approved" in record.value]
    keys = [msgspec.json.decode(record.value)["id"] for record in events]
    assert found.orders["bad"].payments == tuple(provider.charged[key] for key in keys)


async def test_the_schedule_of_retries_outlasts_a_restart(log: FaultyLog) -> None:
    provider, clock = CardProvider(), FixedClock()
    provider.faults["bad"].extend([OSError("no such card")] * 2)
    async with Charging(log, provider, clock):
        await approve(log, "bad")
        await with_open(log, "bad")
        clock.move(SECOND)
        await with_open(log, "bad", attempts=2)
    clock.move(SECOND)
    async with Charging(log, provider, clock):
        await approve(log, "good")
        await paid(log, "good")
        assert len(provider.calls) == 3
        clock.move(SECOND)
        await paid(log, "good", "bad")
    async with Charging(log, provider, clock):
        await approve(log, "last")
        await paid(log, "good", "bad", "last")
    assert len(provider.calls) == 5


def operations(log: FaultyLog) -> ProcessLetterOperations:
    return ProcessLetterOperations(CHARGING, log.plain, FixedClock(), CountedIds())


async def test_after_a_day_a_failed_call_waits_for_an_operator(log: FaultyLog) -> None:
    provider, clock = CardProvider(), FixedClock()
    provider.faults["bad"].extend([OSError("no such card")] * 3)
    async with Charging(log, provider, clock):
        await approve(log, "bad")
        await with_open(log, "bad")
        clock.move(timedelta(hours=24))
        await with_open(log, "bad", attempts=2)
        clock.move(timedelta(hours=1))
        await approve(log, "good")
        await paid(log, "good")
        assert await operations(log).retry() == 0
        await with_open(log, "bad", attempts=3)
        [listed] = await operations(log).listed()
        assert (listed.key, listed.reason) == ("bad", "OSError: no such card")
        assert await operations(log).retry("bad") == 1
        await paid(log, "good", "bad")
    assert [order for order, _ in provider.calls].count("bad") == 4


async def test_an_operator_gives_up_a_call_and_the_next_one_follows(log: FaultyLog) -> None:
    provider, clock = CardProvider(), FixedClock()
    provider.faults["bad"].append(OSError("no such card"))
    async with Charging(log, provider, clock):
        await approve(log, "bad", "bad")
        await with_open(log, "bad", "bad")
        first, _ = await operations(log).listed()
        assert await operations(log).drop(parse_position(first.position)) is True
        found = await paid(log, "bad")
        await with_open(log)
    assert found.orders["bad"].payments == (provider.charged[provider.calls[1][1]],)


async def test_while_the_provider_does_not_answer_calls_wait(log: FaultyLog) -> None:
    provider, clock = CardProvider(), FixedClock()
    down = [f"o{n}" for n in range(5)]
    for order in down:
        provider.faults[order].append(ConnectionRefusedError("nothing listens there"))
    async with Charging(log, provider, clock) as charging:
        await approve(log, *down)
        await with_open(log, *down)
        await approve(log, "next")
        assert charging.host.warning == "the provider of connector charging does not answer; calls wait"
        assert len(provider.calls) == len(down)
        clock.move(SECOND)
        await paid(log, "next", *down)
        await with_open(log)
        assert charging.host.warning is None


async def test_a_call_beyond_its_deadline_has_failed(log: FaultyLog) -> None:
    provider = CardProvider()
    provider.held.add("slow")
    connector = replace(provider.connector, deadline_s=0.05)
    async with Charging(log, provider, connector=connector):
        await approve(log, "slow")
        await with_open(log, "slow")
        assert [letter.reason for letter in await operations(log).listed()] == ["TimeoutError: "]


@pytest.mark.parametrize("fault", [lost, landed])
async def test_after_a_lost_answer_of_the_log_a_call_is_repeated_and_its_command_is_not(
    log: FaultyLog, fault: object
) -> None:
    provider = CardProvider()
    log.appends.append(fault)  # type: ignore[arg-type]
    async with Charging(log, provider):
        await approve(log, "o1")
        await paid(log, "o1")
        await approve(log, "o2")
        await paid(log, "o1", "o2")
    assert len({key for order, key in provider.calls if order == "o1"}) == 1


async def test_lost_offsets_repeat_calls_with_their_keys_and_no_command(any_log: FaultyLog) -> None:
    provider, clock = CardProvider(), FixedClock()
    orders = [f"o{n}" for n in range(6)]
    provider.faults["o1"].append(OSError("no such card"))
    async with Charging(any_log, provider, clock):
        await approve(any_log, *orders)
        await with_open(any_log, "o1")
        clock.move(SECOND)
        await paid(any_log, *orders)
        await with_open(any_log)
    any_log.forgetful = True
    # the call of an event whose command was carried out fails when it is repeated
    provider.faults["o2"].append(OSError("the card has expired"))
    async with Charging(any_log, provider, clock):
        await with_open(any_log, "o2")
        clock.move(SECOND)
        await with_open(any_log)
        await approve(any_log, "last")
        await paid(any_log, *orders, "last")
    keys = {(order, key) for order, key in provider.calls}
    assert len(keys) == len(orders) + 1
    assert [order for order, _ in provider.calls].count("o1") == 2  # what was a dead letter is not read again


async def test_a_call_that_did_not_end_is_repeated_although_later_ones_had_ended(log: FaultyLog) -> None:
    provider = CardProvider()
    provider.held.add("slow")
    async with Charging(log, provider):
        await approve(log, "slow", *(f"o{n}" for n in range(9)))
        await paid(log, *(f"o{n}" for n in range(9)))
    provider.answer()
    async with Charging(log, provider):
        await paid(log, "slow", *(f"o{n}" for n in range(9)))


async def test_a_command_to_an_order_that_is_held_back_is_sent_again_once(log: FaultyLog) -> None:
    provider = CardProvider()
    partition = partition_of("o1", log.partitions(TOPIC))
    async with Charging(log, provider) as charging:
        await approve(log, "o1")
        await paid(log, "o1")
        writer = await log.plain.writer("client", TOPIC, partition)
        [offset] = await writer.append([NewRecord("o1", b"\xff")])
        await approve(log, "o2")
        await with_open(log, "o1")  # for the connector itself, the record is malformed
        assert await operations(log).drop(Position(TOPIC, partition, offset)) is True
        await approve(log, "o1")
        await with_open(log, "o1")
        [letter] = await operations(log).listed()
        assert letter.position.startswith(CHARGING.answers)
        infrastructure = SimpleNamespace(log=log.plain, ids=CountedIds(), clock=charging.clock)
        await drop(cast("Any", infrastructure), "o1", Position(TOPIC, partition, offset))
        assert await operations(log).retry() == 1
        await paid(log, "o1", "o1", "o2")
    # not those of commands: their topic has forgotten them before (docs/kafka.md)
    log.forgets.add(CHARGING.name)
    async with Charging(log, provider):
        await approve(log, "last", "o1")
        await paid(log, "o1", "o1", "o1", "o2", "last")


class PickyWriter(FaultyWriter):
    """A writer of a log that rejects commands to one order."""

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        if any(record.key == "huge" and record.topic == ORDER.commands for record in records):
            msg = "a record is too large"
            raise LogFault(msg)
        return await super().append(records, consumed)


class PickyOrderLog(FaultyLog):
    """A log that rejects commands to one order, as Kafka does with too large a record."""

    async def writer(self, name: str, topic: str, partition: int) -> FaultyWriter:
        return PickyWriter(self, await self.plain.writer(name, topic, partition))


async def test_a_call_whose_commands_the_log_rejects_is_a_dead_letter_and_others_go_on() -> None:
    log, provider, orders = PickyOrderLog(MemoryLog(1)), CardProvider(), [f"o{n}" for n in range(5)]
    async with Charging(log, provider):
        await approve(log, *orders, "huge")
        await with_open(log, "huge")
        await paid(log, *orders)
        [letter] = await operations(log).listed()
    assert letter.reason == "Unwritable: the log rejects its commands; they may be too large"


async def test_calls_and_their_commands_are_measured(log: FaultyLog) -> None:
    provider = CardProvider()
    provider.faults["bad"].append(OSError("no such card"))
    async with Charging(log, provider) as charging:
        await approve(log, "bad", "good")
        await with_open(log, "bad")
        await paid(log, "good")
        assert (await folded(log)).orders["bad"].payments == ()
    text = charging.meters.page()[1].decode()
    assert 'bookshelf_connector_call_seconds_count{connector="charging",result="done"} 1.0' in text
    assert 'bookshelf_connector_call_seconds_count{connector="charging",result="failed"} 1.0' in text
    assert 'bookshelf_process_commands_total{arrow="charge",process="charging"} 1.0' in text
