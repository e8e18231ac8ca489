"""The embedded log keeps the contract, and what it alone promises: to outlive its process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from contract.append_contract import COMMANDS, AppendContract
from contract.group_contract import GroupContract
from contract.log_contract import MANY, PARTITIONS, TOPIC, LogContract, keys, read, records, write

from bookshelf.log.port import Consumed, LogFault, NewRecord
from bookshelf.log.sqlite.log import SqliteLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[SqliteLog]:
    opened = await SqliteLog.open(path, PARTITIONS)
    yield opened
    await opened.close()


class TestSqliteLog(LogContract):
    """Records, writers and tails."""


class TestSqliteAppends(AppendContract):
    """Replies, and what was consumed."""


class TestSqliteGroups(GroupContract):
    """Groups."""


async def test_all_records_survive_a_restart(path: Path) -> None:
    former = await SqliteLog.open(path, PARTITIONS)
    await write(former, "a", "ключ", "🦊")
    await write(former, "b", partition=2)
    await former.close()
    log = await SqliteLog.open(path)
    assert (log.identity, log.partitions(TOPIC)) == (former.identity, PARTITIONS)
    assert [await log.end(TOPIC, p) for p in range(PARTITIONS)] == [3, 0, 1]
    assert await keys(log, 3) == ["a", "ключ", "🦊"]
    assert list(await write(log, "c")) == [3]
    await log.close()


async def test_a_long_log_is_read_after_a_restart_with_new_records(path: Path) -> None:
    former = await SqliteLog.open(path)
    await write(former, *[str(n) for n in range(MANY)])
    await former.close()
    log = await SqliteLog.open(path)
    tail = await log.tail(TOPIC, 0, 0)
    await write(log, "newest")
    assert [r.key for r in await read(tail, MANY + 1)] == [*[str(n) for n in range(MANY)], "newest"]
    await log.close()


async def test_a_file_keeps_its_number_of_partitions(path: Path) -> None:
    first = await SqliteLog.open(path, 2)
    await first.close()
    again = await SqliteLog.open(path, 5)
    assert again.partitions(TOPIC) == 2
    await again.close()


async def test_two_logs_have_two_identities(tmp_path: Path) -> None:
    one = await SqliteLog.open(tmp_path / "1.sqlite")
    other = await SqliteLog.open(tmp_path / "2.sqlite")
    assert one.identity != other.identity
    await one.close()
    await other.close()


async def test_appends_in_progress_at_a_close_are_kept(path: Path) -> None:
    former = await SqliteLog.open(path)
    writer = await former.writer("newbook", TOPIC, 0)
    await writer.append(records("a"))
    await former.close()
    log = await SqliteLog.open(path)
    assert await log.end(TOPIC, 0) == 1
    await log.close()


async def test_a_key_that_utf8_cannot_encode_is_refused_and_the_log_stays_usable(log: SqliteLog) -> None:
    writer = await log.writer("newbook", TOPIC, 0)
    with pytest.raises(UnicodeEncodeError):
        await writer.append([NewRecord("\ud800", b"{}")])
    await writer.append(records("a"))
    assert await keys(log, 1) == ["a"]


async def test_the_consumed_offset_survives_a_restart(path: Path) -> None:
    former = await SqliteLog.open(path, PARTITIONS)
    writer = await former.writer("newbook", TOPIC, 1)
    await writer.append(records("a"), Consumed(COMMANDS, 1, 3))
    await writer.append([], Consumed(COMMANDS, 2, 4))
    await former.close()
    log = await SqliteLog.open(path)
    assert [await log.consumed("newbook", COMMANDS, p) for p in range(PARTITIONS)] == [0, 3, 4]
    assert await keys(log, 1, partition=1) == ["a"]
    await log.close()


async def test_a_closing_log_refuses_appends(path: Path) -> None:
    log = await SqliteLog.open(path)
    writer = await log.writer("newbook", TOPIC, 0)
    async with asyncio.timeout(30):
        appending = asyncio.create_task(writer.append(records("a")))
        await asyncio.sleep(0)  # sleep: a turn of the loop, so that it is queued
        closing = asyncio.create_task(log.close())
        assert list(await appending) == [0]
        await closing
        with pytest.raises(LogFault, match="closed"):
            await writer.append(records("b"))


async def test_a_take_from_the_file_is_bounded_in_bytes(path: Path) -> None:
    former = await SqliteLog.open(path)
    writer = await former.writer("newbook", TOPIC, 0)
    await writer.append([NewRecord("a", b"x" * (1 << 20))] * 12)
    await former.close()
    log = await SqliteLog.open(path)
    tail = await log.tail(TOPIC, 0, 0)
    assert [len(await tail.take(500)) for _ in range(3)] == [4, 4, 4]
    await log.close()
