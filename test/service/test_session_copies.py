"""The copies of sessions that a node keeps: faults of the log, restarts, and another log."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.faulty import FaultyLog
from support.fixed_infrastructure import CountedIds, FixedClock, owner_meters
from support.until import eventually

from bookshelf.cluster.session_events import TOPIC
from bookshelf.cluster.session_parts import PARTS
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.http.problem import Problem
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import LogFault, NewRecord, Record, Tail
from bookshelf.runtime.agent.copied_states import CopiedStates
from bookshelf.runtime.agent.copy_file import CopyFile
from bookshelf.runtime.agent.session_copies import PartitionCopy
from bookshelf.runtime.agent.sessions import ReplicatedSessions
from bookshelf.runtime.aggregate.context import OwnerDependencies

KEY = "service/stateful/value"
A, B = "A" * 22, "B" * 22


def event(kind: str, data: str, key: str, number: int) -> NewRecord:
    value = (
        f'{{"specversion":"1.0","id":"e-{key}-{number}","source":"client-session","type":"cluster.{kind}.v1",'
        f'"subject":"{key}","time":"2026-03-01T12:00:00Z","datacontenttype":"application/json",'
        f'"data":{data},"actor":"reader"}}'
    )
    return NewRecord(key, value.encode())


def opened(key: str) -> NewRecord:
    data = '{"domain":"blue","service":"stateful","owner":"","idle_s":1800,"at":"2026-03-01T12:00:00Z"}'
    return event("client-session-opened", data, key, 0)


def changed(key: str, number: int) -> NewRecord:
    data = (
        f'{{"set":{{"{KEY}":{number}}},"drop":[],"versions":{{}},"at":"2026-03-01T12:00:00Z",'
        f'"keys":1,"bytes":20}}'
    )
    return event("client-session-changed", data, key, number)


def shared(number: int) -> NewRecord:
    data = f'{{"set":{{"shared/visits":{number}}},"drop":[],"versions":{{}},"at":"2026-03-01T12:00:00Z"}}'
    return event("shared-state-changed", data, "shared", number)


class BreakingTail:
    """A tail of which the next read fails if its log is set to."""

    def __init__(self, log: "BreakingLog", tail: Tail) -> None:
        self._log = log
        self._tail = tail

    @property
    def position(self) -> int:
        return self._tail.position

    async def take(self, most: int) -> list[Record]:
        records = await self._tail.take(min(most, self._log.most))
        if self._log.breaks:
            self._log.breaks -= 1
            msg = "the broker is away"
            raise LogFault(msg)
        return list(records)

    async def close(self) -> None:
        await self._tail.close()


class BreakingLog(FaultyLog):
    """A log of which `breaks` reads fail; a read returns `most` records at the most."""

    breaks = 0
    most = 10_000

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        return BreakingTail(self, await super().tail(topic, partition, offset))


class Copies:
    """A node's copies, over one log with one partition."""

    def __init__(self, folder: Path) -> None:
        self.log = BreakingLog(MemoryLog())
        self.file = folder / "copies.sqlite"

    def made(self, aggregates: Sequence[Aggregate[Any]], _partition: int) -> CopiedStates:
        return CopiedStates(aggregates, CopyFile(self.file), capacity=4)

    async def append(self, *records: NewRecord) -> None:
        writer = await self.log.writer("client-session", TOPIC, 0)
        await writer.append(records)

    @asynccontextmanager
    async def reading(self, wait_s: float = 20.0) -> AsyncIterator[ReplicatedSessions]:
        ports = OwnerDependencies(self.log, CountedIds(), FixedClock(), owner_meters())
        made = ReplicatedSessions(
            PARTS, {}, domain="blue", idle_s=1800, ports=ports, copies=self.made, wait_s=wait_s
        )
        await made.start()
        try:
            yield made
        finally:
            await made.stop()


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path)


async def value(sessions: ReplicatedSessions, key: str) -> str:
    return str((await sessions.read(PARTS.session, key, to_end=True)).content.values[KEY].json)


async def test_sessions_and_what_all_share_are_read_in_one_pass(copies: Copies) -> None:
    await copies.append(opened(A), shared(1), changed(A, 1), opened(B), changed(B, 2), shared(2))
    async with copies.reading() as sessions:
        await sessions.complete()
        assert (await value(sessions, A), await value(sessions, B)) == ("1", "2")
        state = await sessions.read(PARTS.shared, "shared")
        assert state.content.values["shared/visits"].json == "2"
        assert sessions.fault is None


async def test_a_record_that_cannot_be_read_hinders_no_other(copies: Copies) -> None:
    await copies.append(opened(A), NewRecord(A, b"no JSON"), changed(A, 1), event("other", "{}", B, 1))
    async with copies.reading() as sessions:
        assert await value(sessions, A) == "1"


async def test_a_fault_of_the_log_delays_a_copy_and_makes_it_never_stale(copies: Copies) -> None:
    await copies.append(opened(A), changed(A, 1))
    async with copies.reading() as sessions:
        await sessions.complete()
        copies.log.breaks = 3
        await copies.append(changed(A, 2))
        assert await value(sessions, A) == "2"

        async def healthy() -> bool:
            return sessions.fault is None

        await eventually(healthy, "the health shows no fault any more")


async def test_a_read_that_waits_while_the_copy_is_opened_anew_gets_the_newest_state(copies: Copies) -> None:
    await copies.append(opened(A), changed(A, 1))
    async with copies.reading() as sessions:
        await sessions.complete()
        copies.log.readable.clear()
        await copies.append(changed(A, 2))
        waiting = asyncio.create_task(value(sessions, A))
        copies.log.breaks = 2
        copies.log.readable.set()
        assert await waiting == "2"


async def test_a_log_that_stays_away_is_answered_as_behind_and_shown(copies: Copies) -> None:
    await copies.append(opened(A), changed(A, 1))
    async with copies.reading(wait_s=0.2) as sessions:
        await sessions.complete()
        copies.log.breaks = 1_000_000
        await copies.append(changed(A, 2))
        with pytest.raises(Problem):
            await value(sessions, A)
        assert "the broker is away" in (sessions.fault or "")


async def test_the_health_shows_how_far_the_sessions_are_read(copies: Copies) -> None:
    await copies.append(opened(A), *(changed(A, n) for n in range(1, 10)))
    copies.log.readable.clear()
    async with copies.reading() as sessions:

        async def opened_at_its_start() -> bool:
            return sessions.fault == "sessions are being read: 0 of 10 records"

        await eventually(opened_at_its_start, "the number of records is known")
        copies.log.readable.set()
        await sessions.complete()
        assert sessions.fault is None


async def test_a_node_that_starts_again_goes_on_from_its_files(copies: Copies) -> None:
    await copies.append(opened(A), shared(1), *(changed(A, n) for n in range(1, 8)))
    async with copies.reading() as sessions:
        await sessions.complete()
    await copies.append(changed(A, 8))
    ports = OwnerDependencies(copies.log, CountedIds(), FixedClock(), owner_meters())
    copy = PartitionCopy((PARTS.session, PARTS.shared), 0, ports, copies.made)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(copy.keep())
        await copy.reach(None)
        state = await copy.get(PARTS.session, A)
        keeping.cancel()
    assert (copy.begun, copy.folded, state.content.n) == (9, 10, 8)


@pytest.mark.parametrize("damage", ["the file is damaged", "the log is another"])
async def test_a_file_that_does_not_fit_the_log_is_made_again(copies: Copies, damage: str) -> None:
    await copies.append(opened(A), shared(1), changed(A, 1), changed(A, 2))
    async with copies.reading() as sessions:
        await sessions.complete()
    if damage == "the file is damaged":
        copies.file.write_bytes(b"no database" * 1000)
    else:
        copies.log = BreakingLog(MemoryLog())
        await copies.append(opened(A), shared(1), changed(A, 2))
    async with copies.reading() as sessions:
        state = await sessions.read(PARTS.session, A, to_end=True)
        assert state.content.values[KEY].json == "2"
        assert state.content.n == (2 if damage == "the file is damaged" else 1)
        state = await sessions.read(PARTS.shared, "shared")
        assert state.content.n == 1
