"""The embedded log with a damaged file or a full disk: it reports the fault and loses nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.log_contract import TOPIC, keys, read, records, write
from support.small_disk import SmallDisk, tiny_disk

from bookshelf.log.port import Consumed, LogFault, LogFull, NewRecord
from bookshelf.log.sqlite.log import SqliteLog

BIG = [NewRecord("big", b"x" * 100_000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with tiny_disk(tmp_path / "disk") as disk:
        yield disk


async def test_a_file_that_is_not_a_database_is_left_unchanged(path: Path) -> None:
    path.write_text("title,author\nDune,Frank Herbert\n" * 100)
    with pytest.raises(LogFault, match=r"log\.sqlite is damaged .* nothing was changed"):
        await SqliteLog.open(path)
    assert path.read_text().startswith("title,author")


async def test_a_damaged_file_is_reported_with_what_to_do(path: Path) -> None:
    former = await SqliteLog.open(path)
    await write(former, *[str(n) * 100 for n in range(200)])
    await former.close()
    whole = bytearray(path.read_bytes())
    whole[8192:12288] = b"\xff" * 4096
    path.write_bytes(whole)
    with pytest.raises(
        LogFault, match=r"restore it from a backup or recover it with `sqlite3 log\.sqlite .recover`"
    ):
        await SqliteLog.open(path)
    assert path.read_bytes() == bytes(whole)


async def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LogFull, match="cannot be written"):
        await SqliteLog.open(tmp_path / "nowhere" / "log.sqlite")


async def test_a_file_that_is_damaged_while_it_is_read_is_a_fault_of_the_log(path: Path) -> None:
    former = await SqliteLog.open(path)
    await write(former, *[str(n) * 100 for n in range(3000)])
    await former.close()
    log = await SqliteLog.open(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (size - 8192))
    tail = await log.tail(TOPIC, 0, 0)
    with pytest.raises(LogFault, match="cannot be read"):
        await read(tail, 3000)
    await log.close()


async def test_a_full_disk_refuses_appends_until_there_is_space(disk: SmallDisk) -> None:
    log = await SqliteLog.open(disk.path / "log.sqlite")
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("before"))
    disk.fill()
    with pytest.raises(LogFull, match="free space on its disk"):
        await writer.append(BIG)
    assert await log.end(TOPIC, 0) == 1
    assert await keys(log, 1) == ["before"]
    disk.relieve()
    assert list(await writer.append(records("after"))) == [1]
    assert await keys(log, 2) == ["before", "after"]
    await log.close()
    again = await SqliteLog.open(disk.path / "log.sqlite")
    assert await keys(again, 2) == ["before", "after"]
    await again.close()


async def test_a_full_disk_is_recognised_with_an_empty_log(disk: SmallDisk) -> None:
    log = await SqliteLog.open(disk.path / "log.sqlite", 2)
    writers = [await log.writer("newbook", TOPIC, p) for p in range(2)]
    disk.fill()
    for writer in writers * 2:
        with pytest.raises(LogFull):
            await writer.append(BIG)
    disk.relieve()
    for writer in writers:
        assert list(await writer.append(BIG)) == [0]
    await log.close()


async def test_a_full_disk_refuses_a_whole_commit_and_wakes_no_tail(disk: SmallDisk) -> None:
    log = await SqliteLog.open(disk.path / "log.sqlite")
    writers = [await log.writer(f"service-{n}", TOPIC, 0) for n in range(4)]
    taking = asyncio.ensure_future(read(await log.tail(TOPIC, 0, 0), 1))
    disk.fill()
    said = await asyncio.gather(*(writer.append(BIG) for writer in writers), return_exceptions=True)
    assert [type(fault) for fault in said] == [LogFull] * 4
    assert not taking.done()
    disk.relieve()
    await writers[0].append(records("a"))
    async with asyncio.timeout(30):
        assert [record.key for record in await taking] == ["a"]
    await log.close()


async def test_a_full_disk_does_not_move_the_consumed_offset(disk: SmallDisk) -> None:
    log = await SqliteLog.open(disk.path / "log.sqlite")
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append([], Consumed("commands", 0, 1))
    disk.fill()
    with pytest.raises(LogFull):
        await writer.append(BIG, Consumed("commands", 0, 2))
    assert await log.consumed("newbook", "commands", 0) == 1
    disk.relieve()
    await writer.append(BIG, Consumed("commands", 0, 2))
    assert await log.consumed("newbook", "commands", 0) == 2
    await log.close()


async def test_a_log_on_a_full_disk_does_not_open(disk: SmallDisk) -> None:
    former = await SqliteLog.open(disk.path / "log.sqlite")
    await write(former, "a")
    await former.close()
    disk.fill()
    with pytest.raises(LogFull, match="free space on its disk"):
        await SqliteLog.open(disk.path / "log.sqlite")
    disk.relieve()
    log = await SqliteLog.open(disk.path / "log.sqlite")
    assert await keys(log, 1) == ["a"]
    await log.close()


async def test_a_log_on_a_read_only_disk_does_not_open(disk: SmallDisk) -> None:
    former = await SqliteLog.open(disk.path / "log.sqlite")
    await write(former, "a")
    await former.close()
    disk.read_only()
    with pytest.raises(LogFull, match="make its folder writable"):
        await SqliteLog.open(disk.path / "log.sqlite")
