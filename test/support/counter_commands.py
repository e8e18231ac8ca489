"""A tally that also takes commands by topic, senders of such commands, and their answers."""

from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
from support.counter_context import TALLY, Count, everything
from support.faulty import FaultyLog
from support.fixed_infrastructure import NOW, CountedIds
from support.until import eventually

from bookshelf.cqrs.message import Command
from bookshelf.log.port import Log, NewRecord
from bookshelf.runtime.aggregate.command_messages import command_message

ORDERED = replace(TALLY, takes=(Count,))
ANSWERS = "answers"
DONE, REFUSED = "bookshelf.command-done.v1", "bookshelf.command-refused.v1"


def count_by_topic(subject: str, by: int = 1, **fields: Any) -> NewRecord:  # noqa: ANN401 (attributes)
    """A Count on its way by topic, which asks for an answer; under an id of its own unless one is named."""
    return by_topic(subject, Count(by=by), **fields)


def by_topic(subject: str, command: Command, **fields: Any) -> NewRecord:  # noqa: ANN401 (attributes)
    """Any command on its way by topic."""
    said = {"id": CountedIds().new(), "source": "tests", "time": NOW, "replyto": ANSWERS, **fields}
    return command_message(ORDERED, command, subject=subject, **said)


def raw(key: str, value: bytes) -> NewRecord:
    """A record that is no order."""
    return NewRecord(key, value, ORDERED.commands)


async def send(log: FaultyLog, *orders: NewRecord, name: str = "sender") -> None:
    """Append command messages as a process would: by its own writer, each to its subject's partition."""
    writer = await log.plain.writer(name, ANSWERS, 0)
    await writer.append(orders)


class Reply(NamedTuple):
    """What of an answer matters."""

    id: str
    type: str
    subject: str
    data: dict[str, Any]
    correlation: str
    causation: str


async def replies(log: Log) -> list[Reply]:
    """Everything that was answered so far."""
    return [_reply(record.key, record.value) for record in await everything(log, ANSWERS)]


def _reply(key: str, value: bytes) -> Reply:
    said = msgspec.json.decode(value)
    assert said["subject"] == key
    correlation = said.get("correlationid", "")
    return Reply(said["id"], said["type"], key, said["data"], correlation, said["causationid"])


async def answered(log: Log, many: int) -> list[Reply]:
    """What was answered, once that is so many."""

    async def enough() -> bool:
        return len(await replies(log)) >= many

    await eventually(enough, f"{many} answers are there")
    return await replies(log)


async def worked_through(log: FaultyLog) -> None:
    """Return once every order that is there has been consumed."""
    topic = ORDERED.commands

    async def all_consumed() -> bool:
        ends = [await newest(log, partition) for partition in range(log.partitions(topic))]
        moved = [await log.consumed(ORDERED.name, topic, partition) for partition in range(len(ends))]
        return all(there >= end for there, end in zip(moved, ends, strict=True))

    await eventually(all_consumed, "all orders are worked through", 60.0)


async def newest(log: Log, partition: int) -> int:
    """Return the offset after the last order of a partition: on Kafka that is less than the end."""
    found = [
        record.offset for record in await everything(log, ORDERED.commands) if record.partition == partition
    ]
    return max(found, default=-1) + 1
