"""What every storage does with many reads at once: each has its own answer, as of its question or later."""

import asyncio
from typing import Any

import pytest
from contract.storage_contract import SOURCE, write
from sqlalchemy import Connection, select, text
from support.counter_context import VIEW, sums

from bookshelf.storage.port import Storage, StorageFault


def asking(number: int) -> Any:  # noqa: ANN401 (work of the storage's)
    def work(db: Connection) -> int:
        if number % 7 == 3:
            raise LookupError(number)
        if number % 7 == 5:
            db.execute(select(text(f"nowhere_{number}")))
        return number + len(sums(db))

    return work


class ReadContract:
    """Inherit, and give a fixture `storage`."""

    async def test_each_of_many_reads_has_its_own_result_or_fault(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        await write(tables, "a")
        found = await asyncio.gather(*(tables.read(asking(n)) for n in range(70)), return_exceptions=True)
        for number, answer in enumerate(found):
            if number % 7 == 3:
                assert isinstance(answer, LookupError)
                assert answer.args == (number,)
            elif number % 7 == 5:
                assert isinstance(answer, StorageFault)
                assert f"nowhere_{number}" in str(answer)
            else:
                assert answer == number + 1

    async def test_no_read_is_older_than_its_request(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        written: set[str] = set()

        async def reader() -> None:
            while len(written) < 40:
                before = set(written)
                assert before <= (await tables.read(sums)).keys()
                await asyncio.sleep(0)  # sleep: the turn of others where reads are done in place

        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(reader())
            for number in range(40):
                await write(tables, f"{number}")
                written.add(f"{number}")
                await asyncio.sleep(0)  # sleep: lets the reads begin

    async def test_a_cancelled_read_does_not_affect_others(self, storage: Storage) -> None:
        tables = await storage.live(VIEW, SOURCE)
        await write(tables, "a")
        reads = [asyncio.ensure_future(tables.read(sums)) for _ in range(30)]
        await asyncio.sleep(0)  # sleep: a turn of the loop, so that they have asked
        for read in reads[::2]:
            read.cancel()
        found = await asyncio.gather(*reads, return_exceptions=True)
        assert found[1::2] == [{"a": 1}] * 15
        with pytest.raises(StorageFault):
            await tables.read(asking(5))
        assert await tables.read(sums) == {"a": 1}
