"""Invalid command messages: each is refused and delays no other."""

from dataclasses import replace

import pytest
from support.counter_commands import (
    DONE,
    ORDERED,
    REFUSED,
    answered,
    count_by_topic,
    raw,
    send,
    worked_through,
)
from support.counter_context import TALLY, Count, Tally, totals
from support.faulty import FaultyLog
from support.owners import Owners

from bookshelf.cqrs.message import Event

PROBLEM = "urn:bookshelf:problem:"


async def test_a_defect_is_answered_and_delays_no_other_command(owners: Owners, log: FaultyLog) -> None:
    def decide(tally: Tally, command: Count) -> list[Event]:
        if command.by == 13:
            msg = "a defect"
            raise ZeroDivisionError(msg)
        return TALLY.decide(tally, command)

    await owners.host(replace(ORDERED, decide=decide))
    await send(log, count_by_topic("a", 13), count_by_topic("a", 5))
    broke, done = await answered(log, 2)
    assert (broke.type, broke.data["type"], done.type) == (REFUSED, PROBLEM + "internal", DONE)
    assert await totals(log) == {"a": 5}


GOOD = count_by_topic("a").value
COUNT_A = b',"type":"test.count.v1","subject":"a"}'
ADDRESS = b'"specversion":"1.0","id":"x","source":"s","time":"2026-03-01T12:00:00Z","replyto":"answers"'
BAD: dict[str, tuple[bytes, str | None]] = {
    "no JSON": (b"\xff\x00", None),
    "empty": (b"", None),
    "a list": (b"[]", None),
    "nested deeply": (b'{"id":"x","replyto":"answers","data":' + b"[" * 100_000, None),
    "no order, but an address": (b'{"id":"x","replyto":"answers"}', "invalid"),
    "another specversion": (GOOD.replace(b'"1.0"', b'"0.3"'), "invalid"),
    "no time zone": (b"{" + ADDRESS.replace(b"Z", b"") + COUNT_A, "invalid"),
    "unknown type": (b"{" + ADDRESS + b',"type":"test.other.v1","subject":"a"}', "invalid"),
    "bad data": (b"{" + ADDRESS + b',"type":"test.count.v1","subject":"a","data":{"by":"one"}}', "invalid"),
    "data of no form": (b"{" + ADDRESS + b',"type":"test.count.v1","subject":"a","data":7}', "invalid"),
    "no subject": (b"{" + ADDRESS + b',"type":"test.count.v1"}', "invalid"),
    "a subject for no URL": (b"{" + ADDRESS + b',"type":"test.count.v1","subject":"a/../b"}', "invalid"),
    "a deadline's id": (count_by_topic("a", id="due-2026").value, "invalid"),
    "a reply to no topic": (count_by_topic("a").value.replace(b'"answers"', b'"../x"'), None),
}


@pytest.mark.parametrize("bad", BAD)
async def test_a_record_that_is_not_a_command_is_refused_and_skipped(
    owners: Owners, log: FaultyLog, bad: str
) -> None:
    host = await owners.host(ORDERED)
    value, problem = BAD[bad]
    await send(log, count_by_topic("a", 1, id="1"), raw("a", value), count_by_topic("a", 2, id="2"))
    found = await answered(log, 2 if problem is None else 3)
    assert [found[0].id, found[-1].id] == ["done-1", "done-2"]
    assert [reply.data["type"] for reply in found[1:-1]] == ([] if problem is None else [PROBLEM + problem])
    await worked_through(log)
    assert await totals(log) == {"a": 3}
    assert host.fault is None


async def test_a_command_message_in_the_wrong_partition_is_refused(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(ORDERED)
    other = next(key for key in "bcdefgh" if host.partition(key) != host.partition("a"))
    await send(log, raw(other, count_by_topic("a").value))
    [reply] = await answered(log, 1)
    assert (reply.type, reply.data["field"]) == (REFUSED, "subject")
    assert await totals(log) == {}
