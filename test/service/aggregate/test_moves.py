"""Partitions move between hosts under load: nothing is lost, nothing is done twice."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.counter_context import Count, everything, totals
from support.faulty import FaultyLog, gate, landed, lost
from support.owners import Owners, ask, ask_around, count, divided, keyed, sent

from bookshelf.runtime.aggregate.command import NotOwner
from bookshelf.runtime.aggregate.host import AggregateHost

if TYPE_CHECKING:
    from bookshelf.cqrs.command_result import CommandResult

KEYS = [f"tally-{n}" for n in range(12)]
PARTITIONS = {0, 1, 2, 3}


async def client(hosts: list[AggregateHost], name: str, commands: int) -> None:
    """One client counts every key up by turns, each time under a key that is its own."""
    for n in range(commands):
        await ask_around(hosts, keyed(KEYS[n % len(KEYS)], f"{name}-{n}"))


async def test_hosts_divide_the_partitions(owners: Owners) -> None:
    hosts = [await owners.host() for _ in range(3)]
    await divided(hosts, PARTITIONS)
    assert frozenset().union(*(host.owned for host in hosts)) == PARTITIONS
    assert sum(len(host.owned) for host in hosts) == len(PARTITIONS)
    for key in KEYS:
        [owner] = [host for host in hosts if host.partition(key) in host.owned]
        await count(owner, key)
        for other in hosts:
            if other is not owner:
                with pytest.raises(NotOwner):
                    other.ask(sent(key))


async def test_moves_under_load_lose_nothing_and_double_nothing(owners: Owners, log: FaultyLog) -> None:
    hosts = [await owners.host()]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for n in range(6):
            tasks.create_task(client(hosts, f"client-{n}", 24))
        hosts.append(await owners.host())
        hosts.append(await owners.host())
        await hosts.pop(0).stop()
        hosts.append(await owners.host())
        await hosts.pop(0).stop()
    assert await totals(log) == dict.fromkeys(KEYS, 12)


async def test_moves_under_load_and_faults_lose_nothing_and_double_nothing(
    owners: Owners, log: FaultyLog
) -> None:
    hosts = [await owners.host()]
    log.appends.extend([lost, landed] * 4)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for n in range(4):
            tasks.create_task(client(hosts, f"client-{n}", 12))
        hosts.append(await owners.host())
        log.appends.extend([landed, lost])
        await hosts.pop(0).stop()
    assert await totals(log) == dict.fromkeys(KEYS, 4)


async def test_a_leaving_host_answers_its_queued_commands(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    reached, opened = asyncio.Event(), asyncio.Event()
    log.appends.append(gate(reached, opened))
    waiting = [host.ask(sent("a"))]
    async with asyncio.timeout(30):
        await reached.wait()
        waiting += [host.ask(sent("a")) for _ in range(5)]
        stopping = asyncio.ensure_future(host.stop())
        opened.set()
        outcomes = await asyncio.gather(*waiting)
        await stopping
    assert [outcome.state.sum for outcome in outcomes] == [1, 2, 3, 4, 5, 6]
    assert host.owned == set()
    with pytest.raises(NotOwner):
        host.ask(sent("a"))


async def test_the_next_owner_has_the_state_of_the_former(owners: Owners, log: FaultyLog) -> None:
    former = await owners.host()
    first = await ask(former, keyed("a", "key", 5))
    following = await owners.host()
    await former.stop()
    await divided([following], PARTITIONS)
    again = await ask(following, keyed("a", "key", 5))
    assert (again.replayed, again.state, again.position) == (True, first.state, first.position)
    assert (await count(following, "a")).state.sum == 6
    assert len(await everything(log)) == 2


async def test_a_host_that_never_served_can_stop(owners: Owners, log: FaultyLog) -> None:
    log.opens.extend(OSError("no broker") for _ in range(1000))
    host = owners.make()
    starting = asyncio.ensure_future(host.start())
    async with asyncio.timeout(30):
        await log.failed.wait()
        await host.stop()
        await starting
    assert host.owned == set()


async def test_a_partition_that_leaves_and_comes_back_is_served_again(owners: Owners, log: FaultyLog) -> None:
    first = await owners.host()
    for _ in range(3):
        guest = await owners.host()
        await guest.stop()
    await divided([first], PARTITIONS)
    outcomes: list[CommandResult] = [await ask(first, sent(key, Count(by=1))) for key in KEYS]
    assert {outcome.state.sum for outcome in outcomes} == {1}
    assert await totals(log) == dict.fromkeys(KEYS, 1)
