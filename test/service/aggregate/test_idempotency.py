"""The same command, sent again, answers the same and writes nothing; whatever happened in between."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.counter_context import Count, Tally, counted, everything, totals, written
from support.faulty import FaultyLog, gate, landed
from support.fixed_infrastructure import FixedClock
from support.owners import Owners, ask, count, divided, keyed, sent, sqlite_stores

from bookshelf.cqrs.envelope import ANSWERED
from bookshelf.cqrs.errors import KeyReused
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.aggregate.snapshot import REMEMBERED


async def test_a_repeated_key_gets_the_same_answer_and_appends_nothing(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    first = await ask(host, keyed("a", "key", 3))
    await count(host, "a")
    again = await ask(host, keyed("a", "key", 3))
    assert (again.replayed, first.replayed) == (True, False)
    assert (again.state, again.version, again.position) == (first.state, first.version, first.position)
    assert len(await everything(log)) == 2


async def test_the_same_key_with_another_content_is_refused(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    await ask(host, keyed("a", "key", 3))
    with pytest.raises(KeyReused):
        await ask(host, keyed("a", "key", 4))
    assert len(await everything(log)) == 1


async def test_a_key_belongs_to_one_aggregate(owners: Owners) -> None:
    host = await owners.host()
    await ask(host, keyed("a", "key", 3))
    assert not (await ask(host, keyed("b", "key", 4))).replayed


async def test_a_repetition_in_the_same_batch_is_carried_out_once(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    async with asyncio.timeout(30):
        both = await asyncio.gather(host.ask(keyed("a", "key")), host.ask(keyed("a", "key")))
    assert [outcome.replayed for outcome in both] == [False, True]
    assert both[0].state == both[1].state
    assert both[0].position == both[1].position is not None
    assert len(await everything(log)) == 1


async def test_a_keyed_command_without_events_is_recognised(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    before = await count(host, "a", 7)
    first = await ask(host, keyed("a", "key", 0))
    assert (first.state, first.version, first.replayed) == (before.state, before.version, False)
    await count(host, "a")
    again = await ask(host, keyed("a", "key", 0))
    assert (again.state, again.version, again.position) == (first.state, first.version, first.position)
    assert again.replayed
    assert [ANSWERED.encode() in record.value for record in await everything(log)] == [False, True, False]


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "killed"])
async def test_a_key_is_recognised_after_a_restart(owners: Owners, log: FaultyLog, stopped: bool) -> None:  # noqa: FBT001
    host = await owners.host()
    first = await ask(host, keyed("a", "key", 3))
    nothing = await ask(host, keyed("a", "nothing", 0))
    if stopped:
        await owners.stop()
    again = await (owners if stopped else Owners(log)).host()
    if not stopped:  # the former owner is a zombie: the group of this process divides with it
        await divided([again, host], range(4))
        again = again if again.partition("a") in again.owned else host
    for key, by, said in (("key", 3, first), ("nothing", 0, nothing)):
        outcome = await ask(again, keyed("a", key, by))
        assert (outcome.replayed, outcome.state) == (True, said.state)
        assert (outcome.version, outcome.position) == (said.version, said.position)
    with pytest.raises(KeyReused):
        await ask(again, keyed("a", "key", 5))


async def test_every_command_of_a_hot_aggregate_is_recognised(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    firsts = [await ask(host, keyed("a", f"key-{n}")) for n in range(REMEMBERED + 20)]
    for n, first in enumerate(firsts):
        again = await ask(host, keyed("a", f"key-{n}"))
        assert (again.replayed, again.state, again.version) == (True, first.state, first.version)
        assert again.position == first.position
    assert len(await everything(log)) == len(firsts)


@pytest.mark.parametrize("many", [64, 65, 100, 1000, 3000])
async def test_commands_on_one_aggregate_whose_answer_is_lost_are_carried_out_once(
    owners: Owners, log: FaultyLog, many: int
) -> None:
    host = await owners.host()
    reached, opened = asyncio.Event(), asyncio.Event()
    log.appends.extend([gate(reached, opened), landed, landed])
    first = host.ask(sent("b"))
    async with asyncio.timeout(120):
        await reached.wait()  # the others wait for one another, and are one batch
        asked = [host.ask(keyed("a", f"key-{n}")) for n in range(many)]
        opened.set()
        outcomes = await asyncio.gather(first, *asked)
        assert await totals(log) == {"a": many, "b": 1}
        assert {outcome.state.sum for outcome in outcomes[1:]} == set(range(1, many + 1))
        assert all(outcome.version == outcome.position.offset for outcome in outcomes if outcome.position)
        again = await asyncio.gather(*(host.ask(keyed("a", f"key-{n}")) for n in range(0, many, 7)))
    for one, former in zip(again, outcomes[1::7], strict=True):
        assert (one.replayed, one.state, one.position) == (True, former.state, former.position)
    assert await totals(log) == {"a": many, "b": 1}


async def test_each_of_many_commands_at_once_is_answered_with_its_own_result(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*(host.ask(sent("a", Count(by=1))) for _ in range(300)))
    assert [outcome.state for outcome in outcomes] == [Tally(sum=n, said=n) for n in range(1, 301)]
    assert len({outcome.version for outcome in outcomes}) == 300
    offsets = [outcome.position.offset for outcome in outcomes if outcome.position is not None]
    assert offsets == [outcome.version for outcome in outcomes]
    assert await totals(log) == {"a": 300}


async def test_commands_that_no_longer_fit_into_memory_are_found_in_the_store(
    log: FaultyLog, tmp_path: Path
) -> None:
    stores = sqlite_stores(tmp_path)
    async with Owners(log, stores, capacity=40) as owners:
        host = await owners.host()
        firsts = [await ask(host, keyed("a", f"key-{n}")) for n in range(300)]
        assert sum(len(states) for states in owners.states) < 150
        assert (await ask(host, keyed("a", "key-5"))).position == firsts[5].position
    async with Owners(log, stores, capacity=40) as owners:
        host = await owners.host()
        for n in range(0, 300, 50):
            again = await ask(host, keyed("a", f"key-{n}"))
            assert (again.replayed, again.state) == (True, firsts[n].state)
        with pytest.raises(KeyReused):
            await ask(host, keyed("a", "key-5", 9))
    assert await totals(log) == {"a": 300}


async def test_a_command_is_forgotten_by_the_time_of_the_log_and_no_sooner(tmp_path: Path) -> None:
    log = FaultyLog(MemoryLog(1))
    clock = FixedClock()
    async with Owners(log, sqlite_stores(tmp_path), clock=clock, capacity=40) as owners:
        host = await owners.host()
        await ask(host, sent("a"))  # the command that began it is never forgotten
        for n in range(200):
            await ask(host, keyed("a", f"old-{n}"))
        assert (await ask(host, keyed("a", "old-0"))).replayed
        clock.move(timedelta(hours=25))
        for n in range(200):
            await ask(host, replace(keyed("a", f"new-{n}"), at=clock.now()))
        assert not (await ask(host, keyed("a", "old-0"))).replayed
        assert (await ask(host, keyed("a", "new-0"))).replayed


async def test_commands_of_other_services_evict_no_completed_commands(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    await ask(host, keyed("a", "key"))
    theirs = [counted("a", source="another", command=f"theirs-{n}") for n in range(128)]
    await written(log, *theirs, partition=host.partition("a"))
    assert (await ask(host, keyed("a", "key"))).replayed
    assert not (await ask(host, sent("a", Count(), id="theirs-0"))).replayed


async def test_a_command_without_key_and_events_appends_nothing(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    await ask(host, sent("a", Count(by=0), id="made-at-the-edge"))
    assert await everything(log) == []
