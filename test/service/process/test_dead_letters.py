"""The dead letters of a process: set aside with their keys, retried and dropped on request."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.counter_context import everything
from support.faulty import FaultyLog, FaultyWriter, lost
from support.fixed_infrastructure import NOW, CountedIds, FixedClock
from support.stall import CORRECTED, SELLING, STOCK, TOPIC, AnswerLine
from support.stall_run import (
    Stall,
    all_read,
    append,
    by_topic,
    come_to_rest,
    folded,
    letters,
    placed,
    supplied,
)
from support.until import eventually

from bookshelf.cqrs.dead_letters import LetterAdded, LetterDropped, LetterRetried, LetterSettled
from bookshelf.cqrs.position import Position, parse_position
from bookshelf.http.problem import Problem
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Consumed, LogFault, NewRecord, partition_of
from bookshelf.runtime.process.dead_letters import letter_record, read_letters
from bookshelf.runtime.process.operations import ProcessLetterOperations
from bookshelf.runtime.service_operations import drop


async def open_letters(log: FaultyLog) -> list[str]:
    found = [await read_letters(log.plain, SELLING.dead_letters, p) for p in range(log.partitions(TOPIC))]
    return [opened.position for one in found for opened in one.listed()]


async def with_letters(log: FaultyLog, count: int) -> list[str]:
    """Return the positions of the open dead letters, once there are so many."""

    async def there() -> bool:
        return len(await open_letters(log)) == count

    await eventually(there, f"{count} dead letters are open")
    return await open_letters(log)


async def request(log: FaultyLog, event: LetterRetried | LetterDropped, key: str) -> None:
    """Append a request of an operator."""
    partition = partition_of(key, log.partitions(TOPIC))
    writer = await log.plain.writer("operator", SELLING.dead_letters, partition)
    await writer.append([letter_record(SELLING.name, key, event, CountedIds().new(), NOW)])
    await writer.close()


async def test_an_event_whose_arrow_raises_is_set_aside_and_others_go_on(log: FaultyLog) -> None:
    async with Stall(log) as stall:
        await append(log, supplied("tea", 5), placed("bad", broken=1), placed("good", tea=1))
        [position] = await with_letters(log, 1)
        await all_read(stall)
        assert stall.host.warning == "process selling has 1 dead letters"
    found = await folded(log)
    assert found.ends == {"bad": "", "good": "approved"}
    [letter] = await letters(log)
    assert letter["position"] == position
    assert letter["reason"].startswith("ZeroDivisionError: 1")


async def test_a_retry_sends_the_commands_and_a_replay_does_not_send_them_again(any_log: FaultyLog) -> None:
    async with Stall(any_log):
        await append(any_log, supplied("broken", 5), placed("bad", broken=1))
        [position] = await with_letters(any_log, 1)
    async with Stall(any_log, CORRECTED) as stall:
        await all_read(stall)
        assert (await folded(any_log)).ends == {"bad": ""}
        await request(any_log, LetterRetried(position=position), "bad")
        found = await come_to_rest(any_log, 1)
        assert found.ends == {"bad": "approved"}
        assert await open_letters(any_log) == []
    any_log.forgetful = True
    async with Stall(any_log, CORRECTED) as stall:
        await append(any_log, supplied("tea", 1), placed("last", tea=1))
        found = await come_to_rest(any_log, 2)
        await all_read(stall)
    assert found.stocks["broken"].sold == 1
    retried = [r.value for r in await everything(any_log, STOCK.commands) if b"dead-letters-" in r.value]
    assert len(retried) == 1
    assert b'"origin":"selling:selling.dead-letters/' in retried[0]


async def test_a_retry_that_fails_again_leaves_the_letter_open_with_its_reason(log: FaultyLog) -> None:
    async with Stall(log):
        await append(log, placed("bad", broken=7))
        [position] = await with_letters(log, 1)
        await request(log, LetterRetried(position=position), "bad")

        async def twice() -> bool:
            return len([one for one in await letters(log) if one["type"].endswith("added.v1")]) == 2

        await eventually(twice, "the retry has failed")
    assert await open_letters(log) == [position]


ADDED, RETRIED, SETTLED = (kind.TYPE for kind in (LetterAdded, LetterRetried, LetterSettled))


async def test_later_events_of_the_key_are_held_back_and_follow_after_a_retry(log: FaultyLog) -> None:
    async with Stall(log):
        await append(log, supplied("broken", 1), placed("bad", broken=1))
        [first] = await with_letters(log, 1)
        await append(log, by_topic("order", "bad", AnswerLine(product="broken", held=False)))
        _, second = await with_letters(log, 2)
    async with Stall(log, CORRECTED):
        await request(log, LetterRetried(position=first), "bad")
        await with_letters(log, 0)
    found = await letters(log)
    assert [(one["type"], one["position"]) for one in found] == [
        *[(ADDED, first), (ADDED, second), (RETRIED, first)],
        *[(SETTLED, first), (RETRIED, second), (SETTLED, second)],
    ]
    assert found[1]["reason"] == "an earlier record of this key is a dead letter"
    assert found[1]["behind"] is True


async def test_a_dropped_letter_is_given_up_and_what_it_held_back_follows(log: FaultyLog) -> None:
    async with Stall(log):
        await append(log, placed("bad", broken=1))
        [first] = await with_letters(log, 1)
        await append(log, by_topic("order", "bad", AnswerLine(product="broken", held=False)))
        await with_letters(log, 2)
        await request(log, LetterDropped(position=first), "bad")
        await with_letters(log, 0)
        await append(log, supplied("tea", 1), placed("good", tea=1))

        async def approved() -> bool:
            return (await folded(log)).ends.get("good") == "approved"

        await eventually(approved, "a later order is approved")
    assert (await folded(log)).stocks.keys() == {"tea"}  # no command was sent for the dropped event


async def test_a_command_to_an_aggregate_that_is_held_back_is_not_lost(log: FaultyLog) -> None:
    async with Stall(log) as stall:
        await append(log, supplied("tea", 3))
        await all_read(stall)
        await append(log, NewRecord("tea", b"\xff", TOPIC))
        [record] = await with_letters(log, 1)
        await append(log, placed("o1", tea=2))
        refusal = next(iter({*await with_letters(log, 2)} - {record}))
        await all_read(stall)
        assert (await folded(log)).orders["o1"].refusals == {"tea": "held-back"}
        infrastructure = SimpleNamespace(log=log.plain, ids=CountedIds(), clock=FixedClock())
        await drop(cast("Any", infrastructure), "tea", parse_position(record))
        assert await with_letters(log, 1) == [refusal]  # the record was given up for the process, too
        await request(log, LetterRetried(position=refusal), "tea")
        found = await come_to_rest(log, 1)
        await with_letters(log, 0)
    assert (found.ends, found.stocks["tea"].sold) == ({"o1": "approved"}, 2)
    log.forgetful = True
    async with Stall(log):  # the first command is not sent again under its former origin
        await append(log, supplied("bun", 1), placed("last", bun=1))
        found = await come_to_rest(log, 2)
    assert found.stocks["tea"].sold == 2


class RejectingWriter(FaultyWriter):
    """A writer of a log that rejects commands to one product."""

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        if any(record.key == "huge" and record.topic == STOCK.commands for record in records):
            msg = "a record is too large"
            raise LogFault(msg)
        return await super().append(records, consumed)


class RejectingLog(FaultyLog):
    """A log that rejects commands to one product, as Kafka does with too large a record."""

    async def writer(self, name: str, topic: str, partition: int) -> FaultyWriter:
        return RejectingWriter(self, await self.plain.writer(name, topic, partition))


async def test_an_event_whose_commands_the_log_rejects_is_set_aside_alone() -> None:
    log = RejectingLog(MemoryLog(1))
    lines = [placed("bad", huge=1), *(placed(f"o{n}", tea=1) for n in range(5))]
    await append(log, supplied("tea", 5), *lines)
    log.appends.append(lost)
    async with Stall(log):
        await with_letters(log, 1)
        await append(log, placed("last", tea=0))

        async def all_but_one() -> bool:
            ends = (await folded(log)).ends
            return list(ends.values()).count("approved") == 6

        await eventually(all_but_one, "the others are approved")
    [letter] = await letters(log)
    assert letter["reason"] == "the log rejects its commands; they may be too large"


def operations(log: FaultyLog) -> ProcessLetterOperations:
    return ProcessLetterOperations(SELLING, log.plain, FixedClock(), CountedIds())


async def test_an_operator_lists_and_retries_them(log: FaultyLog) -> None:
    async with Stall(log):
        await append(log, *(placed(f"bad{n}", broken=n) for n in range(3)))
        await with_letters(log, 3)
        assert await operations(log).retry("bad1") == 0
        listed = await operations(log).listed()
    assert sorted(letter.key for letter in listed) == ["bad0", "bad1", "bad2"]
    assert {(letter.process, letter.behind) for letter in listed} == {("selling", False)}
    async with Stall(log, CORRECTED):
        assert await operations(log).retry("bad1") == 1
        assert await operations(log).retry() == 2
        assert await operations(log).retry() == 0
    assert await operations(log).listed() == []


async def test_an_operator_drops_the_first_of_a_key_only(log: FaultyLog) -> None:
    async with Stall(log):
        await append(log, placed("bad", broken=1))
        await with_letters(log, 1)
        await append(log, by_topic("order", "bad", AnswerLine(product="broken", held=False)))
        first, second = map(parse_position, await with_letters(log, 2))
        with pytest.raises(Problem, match="waits behind an earlier record of bad; drop or retry that one"):
            await operations(log).drop(second)
        assert await operations(log).drop(Position(TOPIC, 0, 999)) is False
        assert await operations(log).drop(first) is True
        assert await operations(log).listed() == []  # the second followed
