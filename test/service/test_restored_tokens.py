"""A restore never lowers the offsets of the topic `locks`: they are fencing tokens."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from support.elections import LOCKS, LONG_S, election_of
from support.shelf import Shelf

from bookshelf.concurrency import cancel_and_wait
from bookshelf.log.port import NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.backup import restore_backup, write_backup
from bookshelf.runtime.clock import SystemClock

NOW = datetime(2026, 11, 27, tzinfo=UTC)


async def token_of(folder: Path, rounds: int = 1) -> int:
    """Acquire and release a lock in a log so often; return the last token."""
    log = await SqliteLog.open(folder / "log.sqlite", 2)
    token = -1
    try:
        async with Shelf(log, services=LOCKS, clock=SystemClock()) as shelf:
            election = election_of(shelf)
            following = asyncio.create_task(election.run())
            for _ in range(rounds):
                lease = await election.acquire("nightly", "node1", LONG_S)
                assert lease is not None
                assert lease.token > token
                token = lease.token
                await election.release(lease)
            await cancel_and_wait(following)
    finally:
        await log.close()
    return token


async def test_tokens_after_a_restore_are_higher_than_any_before(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    await token_of(data, 3)
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    before = await token_of(data, 5)
    restore_backup(backup, data, NOW, replace=True)
    assert await token_of(data, 2) > before


async def test_tokens_of_a_lost_folder_are_not_granted_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    await token_of(data, 3)
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    lost = await token_of(data, 5)
    restore_backup(backup, tmp_path / "new", NOW, replace=False)
    assert await token_of(tmp_path / "new", 2) > lost


async def test_an_unreadable_former_log_does_not_hinder_a_restore(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    before = await token_of(data, 3)
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    (data / "log.sqlite").write_bytes(b"no log")
    for left in data.glob("log.sqlite-*"):
        left.unlink()
    restore_backup(backup, data, NOW, replace=True)
    assert await token_of(data) > before


async def test_a_log_without_locks_gets_no_record(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    await (await SqliteLog.open(data / "log.sqlite", 2)).close()
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    restored = restore_backup(backup, tmp_path / "new", NOW, replace=False)
    log = await SqliteLog.open(Path(restored.data) / "log.sqlite", 2)
    assert [await log.end("locks", part) for part in range(2)] == [0, 0]
    await log.close()


async def test_sessions_and_the_revision_of_a_domain_are_restored_as_they_were(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    written = {}
    log = await SqliteLog.open(data / "log.sqlite", 2)
    for topic in ("sessions", "cluster"):
        for part in range(2):
            writer = await log.writer("test", topic, part)
            written[topic, part] = [f"{topic} {part} {n}".encode() for n in range(3)]
            await writer.append([NewRecord("key", value) for value in written[topic, part]])
            await writer.close()
    await log.close()
    await token_of(data, 3)
    backup, _ = write_backup(data, tmp_path / "backups", NOW)
    restored = restore_backup(backup, tmp_path / "new", NOW, replace=False)
    log = await SqliteLog.open(Path(restored.data) / "log.sqlite", 2)
    try:
        for (topic, part), values in written.items():
            # their offsets are no tokens: they stay
            assert await log.end(topic, part) == len(values)
            tail = await log.tail(topic, part, 0)
            found = [record.value for record in await tail.take(10)]
            await tail.close()
            assert found == values
    finally:
        await log.close()
