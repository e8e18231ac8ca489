"""A newer version of an event comes in two releases: instances of both side by side, forward and back."""

import asyncio

import pytest
from support.faulty import FaultyLog
from support.owners import Owners, ask, ask_around, keyed, sent
from support.releases import BEFORE, READS, WRITES, Count, Counted, Scored, said

from bookshelf.cqrs.errors import NotFound
from bookshelf.runtime.aggregate.host import AggregateHost

KEYS = [f"tally-{n}" for n in range(12)]


async def client(hosts: list[AggregateHost], name: str, commands: int) -> None:
    for n in range(commands):
        await ask_around(hosts, keyed(KEYS[n % len(KEYS)], f"{name}-{n}"))


async def test_an_upgrade_and_downgrade_with_instances_of_both_releases_lose_nothing(
    owners: Owners, log: FaultyLog
) -> None:
    hosts = [await owners.host(READS), await owners.host(READS)]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for n in range(6):
            tasks.create_task(client(hosts, f"client-{n}", 24))
        for release in (WRITES, WRITES, READS):
            hosts.append(await owners.host(release))
            await hosts.pop(0).stop()
    found = await said(log)
    assert found.keys() == {Counted.TYPE, Scored.TYPE}
    assert {key: sum(one.get(key, 0) for one in found.values()) for key in KEYS} == dict.fromkeys(KEYS, 12)


async def test_a_downgrade_by_one_release_reads_the_later_events(log: FaultyLog) -> None:
    async with Owners(log) as owners:
        later = await owners.host(WRITES)
        outcome = await ask(later, keyed("a", "once"))
        await owners.stop()
        earlier = await owners.host(READS)
        again = await ask(earlier, keyed("a", "once"))
        assert (again.replayed, again.state, again.position) == (True, outcome.state, outcome.position)
        await ask(earlier, sent("a", Count(by=2, must=True)))
        assert await said(log) == {Scored.TYPE: {"a": 1}, Counted.TYPE: {"a": 2}}


async def test_a_downgrade_by_two_releases_skips_the_later_events(log: FaultyLog) -> None:
    async with Owners(log) as owners:
        await ask(await owners.host(WRITES), keyed("a", "once"))
        await owners.stop()
        with pytest.raises(NotFound):
            await ask(await owners.host(BEFORE), sent("a", Count(must=True)))
