"""A topic is copied into one of more partitions, record by record, each to its key's: all stays known."""

from collections.abc import AsyncIterator

import pytest
from support.counter_context import TOPIC, everything, totals
from support.owners import Owners, ask, keyed
from support.views import Views, answer

from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Log, NewRecord, partition_of
from bookshelf.storage.sqlite import MemoryStorage

KEYS = [f"tally-{n}" for n in range(20)]
MORE = 8


async def copied(old: Log, new: Log) -> None:
    for record in await everything(old):
        writer = await new.writer("copy", TOPIC, partition_of(record.key, MORE))
        await writer.append([NewRecord(record.key, record.value)])


@pytest.fixture
async def storage() -> AsyncIterator[MemoryStorage]:
    made = MemoryStorage()
    yield made
    await made.close()


async def test_owners_and_views_recognise_commands_of_a_copied_topic(storage: MemoryStorage) -> None:
    old, new = MemoryLog(2), MemoryLog(MORE)
    commands = [keyed(KEYS[number % len(KEYS)], f"command-{number}") for number in range(60)]
    async with Owners(old) as owners:
        host = await owners.host()
        for one in commands:
            await ask(host, one)
    await copied(old, new)
    async with Owners(new) as owners, Views(new, storage) as views:
        host = await owners.host()
        assert {(await ask(host, one)).replayed for one in commands} == {True}
        assert len({host.partition(key) for key in KEYS}) > 2
        assert await answer(await views.host(), new) == await totals(old) == dict.fromkeys(KEYS, 3)
