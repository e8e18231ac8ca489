"""Reads that wait together share a snapshot; those that come later have a later one."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from bookshelf.storage.port import StorageFault
from bookshelf.storage.table_files import ReadBatcher, engine


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Engine]:
    made = engine(tmp_path / "rows.sqlite", "BEGIN", pool_size=4)
    yield made
    made.dispose()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def _nth(number: int, _: Connection) -> int:
    return number


async def test_waiting_reads_are_batched_into_few_transactions(
    reading: Engine, threads: ThreadPoolExecutor
) -> None:
    begun: list[Connection] = []
    event.listen(reading, "begin", begun.append)
    together, held = ReadBatcher(threads, reading), threading.Event()
    first = [asyncio.ensure_future(together.run(lambda _: held.wait(5))) for _ in range(2)]
    await asyncio.sleep(0)  # sleep: a turn of the loop, so that both have begun
    later = [asyncio.ensure_future(together.run(partial(_nth, n))) for n in range(16)]
    await asyncio.sleep(0)  # sleep: and these wait
    held.set()
    assert await asyncio.gather(*first) == [True, True]
    assert await asyncio.gather(*later) == list(range(16))
    assert len(begun) == 4


async def test_a_database_fault_is_raised_for_every_read(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    nowhere = engine(tmp_path / "nowhere" / "rows.sqlite", "BEGIN", pool_size=4)
    together = ReadBatcher(threads, nowhere)
    found = await asyncio.gather(*(together.run(lambda _: 1) for _ in range(5)), return_exceptions=True)
    assert [type(fault) for fault in found] == [StorageFault] * 5
    nowhere.dispose()
