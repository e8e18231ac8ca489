"""The embedded log after a commit that raised: the answer is what a restart shows, and no tail has a hole."""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract.log_contract import TOPIC, keys, read, records

from bookshelf.log.port import Consumed, LogFull, NewRecord, OutcomeUnknown
from bookshelf.log.sqlite.committer import COMMIT_BYTES, QUEUE_BYTES
from bookshelf.log.sqlite.database import connect
from bookshelf.log.sqlite.log import SqliteLog

Execute = Callable[..., sqlite3.Cursor]
Fault = Callable[[Execute], None]


def _error(code: int, message: str) -> sqlite3.OperationalError:
    fault = sqlite3.OperationalError(message)
    fault.sqlite_errorcode = code
    return fault


def raised(_execute: Execute) -> None:
    """The statement raised and did nothing."""
    raise _error(sqlite3.SQLITE_IOERR, "disk I/O error")


def landed(execute: Execute) -> None:
    """The commit is in the file, and raised."""
    execute("COMMIT")
    raise _error(sqlite3.SQLITE_IOERR, "disk I/O error")


class Disk:
    """Opens connections whose `statement` fails with the next of `faults` each time it runs."""

    def __init__(self) -> None:
        self.statement = "COMMIT"
        self.faults: deque[Fault] = deque()

    def open(self, path: Path) -> sqlite3.Connection:
        disk = self

        class Failing(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 (sqlite3's own signature)
                if sql == disk.statement and disk.faults:
                    disk.faults.popleft()(super().execute)
                return super().execute(sql, *values)

            def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 (as above)
                if sql.startswith(disk.statement) and disk.faults:
                    disk.faults.popleft()(super().execute)
                return super().executemany(sql, *values)

        connect(path).close()
        failing = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5, factory=Failing
        )
        failing.execute("PRAGMA synchronous = FULL")
        return failing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def reopened(path: Path, log: SqliteLog, count: int) -> list[str]:
    await log.close()
    again = await SqliteLog.open(path)
    found = await keys(again, count)
    assert await again.end(TOPIC, 0) == count
    await again.close()
    return found


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "INSERT INTO record", "COMMIT"])
async def test_a_failed_write_that_is_not_in_the_file_has_a_known_outcome(
    path: Path, disk: Disk, statement: str
) -> None:
    log = await SqliteLog.open(path, opener=disk.open)
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("a"))
    disk.statement = statement
    disk.faults.append(raised)
    with pytest.raises(LogFull, match="disk I/O error"):
        await writer.append(records("lost"), Consumed("commands", 0, 7))
    assert await log.consumed("newbook", "commands", 0) == 0
    assert list(await writer.append(records("b"))) == [1]
    assert await keys(log, 2) == ["a", "b"]
    assert await reopened(path, log, 2) == ["a", "b"]


async def test_a_failed_commit_that_is_in_the_file_is_published_and_acknowledged(
    path: Path, disk: Disk
) -> None:
    log = await SqliteLog.open(path, opener=disk.open)
    writer = await log.writer("newbook", TOPIC, 0)
    tail = await log.tail(TOPIC, 0, 0)
    disk.faults.append(landed)
    assert list(await writer.append(records("a", "b"), Consumed("commands", 0, 7))) == [0, 1]
    assert list(await writer.append(records("c"))) == [2]
    assert [record.key for record in await read(tail, 3)] == ["a", "b", "c"]
    assert await log.consumed("newbook", "commands", 0) == 7
    assert await reopened(path, log, 3) == ["a", "b", "c"]


@pytest.mark.parametrize(("first", "found"), [(raised, ["a", "b"]), (landed, ["a", "open", "b"])])
async def test_an_unknown_outcome_is_decided_by_a_later_write(
    path: Path, disk: Disk, first: Fault, found: list[str]
) -> None:
    log = await SqliteLog.open(path, opener=disk.open)
    writer, other = await log.writer("newbook", TOPIC, 0), await log.writer("readbook", TOPIC, 0)
    await writer.append(records("a"))
    tail = await log.tail(TOPIC, 0, 0)
    disk.faults.extend([first, raised, raised, raised])
    with pytest.raises(OutcomeUnknown):
        await writer.append(records("open"))
    with pytest.raises(OutcomeUnknown):  # a writer is opened once it is known what its name wrote
        await log.writer("newbook", TOPIC, 0)
    with pytest.raises(LogFull):  # nothing of another append was tried
        await other.append(records("refused"))
    await log.writer("newbook", TOPIC, 0)
    await other.append(records("b"))
    assert [record.key for record in await read(tail, len(found))] == found
    assert await reopened(path, log, len(found)) == found


async def test_a_commit_that_a_restart_recovers_was_not_reported_as_absent(path: Path, disk: Disk) -> None:
    """A failed fsync leaves the commit in the write-ahead log: no connection sees it, a restart does."""

    def only_after_a_restart(_execute: Execute) -> None:
        raise _error(sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error")

    log = await SqliteLog.open(path, opener=disk.open)
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("a"))
    disk.faults.extend([only_after_a_restart, raised])
    with pytest.raises(OutcomeUnknown):
        await writer.append(records("back"))
    assert await log.end(TOPIC, 0) == 1
    await log.close()
    with sqlite3.connect(path) as file:
        file.execute("INSERT INTO record VALUES (?, 0, 1, 'back', '{}')", (TOPIC,))
    file.close()
    again = await SqliteLog.open(path)
    assert await keys(again, 2) == ["a", "back"]
    await again.close()


async def test_a_failed_fsync_is_overwritten_before_it_is_reported_as_absent(path: Path, disk: Disk) -> None:
    log = await SqliteLog.open(path, opener=disk.open)
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("a"))
    disk.faults.append(raised)
    with pytest.raises(LogFull):
        await writer.append(records("lost"))
    with sqlite3.connect(path) as file:
        settled = file.execute("SELECT value FROM about WHERE name = 'settled'").fetchall()
    file.close()
    assert len(settled) == 1
    await log.close()


async def test_queued_appends_and_one_commit_are_bounded_in_bytes(path: Path, disk: Disk) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def held_up(_execute: Execute) -> None:
        begun.set()
        assert go_on.wait(30)

    commits: deque[None] = deque()
    log = await SqliteLog.open(path, opener=disk.open)
    writers = [await log.writer(f"writer-{number}", TOPIC, 0) for number in range(10)]
    disk.faults += [held_up, *[lambda _execute: commits.append(None)] * 10]
    block = NewRecord("key", b"1" * (QUEUE_BYTES // 8 - len("key")))
    appends = [asyncio.ensure_future(writers[0].append([block]))]
    async with asyncio.timeout(30):
        await asyncio.to_thread(begun.wait)
        appends += [asyncio.ensure_future(writer.append([block])) for writer in writers[1:8]]
        refused = await asyncio.gather(
            *(writer.append([block]) for writer in writers[8:]), return_exceptions=True
        )
        assert [type(fault) for fault in refused] == [LogFull, LogFull]
        go_on.set()
        await asyncio.gather(*appends)
        assert len(commits) == 7 * QUEUE_BYTES // 8 // COMMIT_BYTES
        await writers[8].append([block])  # there is room again
    assert await log.end(TOPIC, 0) == 9
    await log.close()
