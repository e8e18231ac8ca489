"""The same command, sent again, answers the same and writes nothing; whatever happened in between."""

import asyncio

import pytest
from support.faulty import FaultyLog
from support.owners import Owners, ask, count, divided, keyed, sent
from support.tally import Count, counted, everything, written

from bookshelf.cqrs.envelope import ANSWERED
from bookshelf.cqrs.errors import KeyReused


async def test_the_same_key_answers_the_same_and_writes_nothing(owners: Owners, log: FaultyLog) -> None:
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


async def test_one_key_is_each_aggregates_own(owners: Owners) -> None:
    host = await owners.host()
    await ask(host, keyed("a", "key", 3))
    assert not (await ask(host, keyed("b", "key", 4))).replayed


async def test_twice_in_one_batch_is_carried_out_once(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    async with asyncio.timeout(30):
        both = await asyncio.gather(host.ask(keyed("a", "key")), host.ask(keyed("a", "key")))
    assert [outcome.replayed for outcome in both] == [False, True]
    assert both[0].state == both[1].state
    assert both[0].position == both[1].position is not None
    assert len(await everything(log)) == 1


async def test_a_command_with_a_key_that_said_nothing_is_remembered(owners: Owners, log: FaultyLog) -> None:
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
async def test_a_key_is_remembered_over_a_restart(owners: Owners, log: FaultyLog, stopped: bool) -> None:  # noqa: FBT001
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


async def test_the_last_64_commands_are_remembered_and_older_ones_forgotten(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    for n in range(65):
        await ask(host, keyed("a", f"key-{n}"))
    assert (await ask(host, keyed("a", "key-1"))).replayed
    assert len(await everything(log)) == 65
    assert not (await ask(host, keyed("a", "key-0"))).replayed


async def test_another_services_commands_push_no_one_out_of_memory(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    await ask(host, keyed("a", "key"))
    theirs = [counted("a", source="another", command=f"theirs-{n}") for n in range(128)]
    await written(log, *theirs, partition=host.partition("a"))
    assert (await ask(host, keyed("a", "key"))).replayed
    assert not (await ask(host, sent("a", Count(), id="theirs-0"))).replayed


async def test_a_command_without_a_key_that_said_nothing_leaves_no_trace(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    await ask(host, sent("a", Count(by=0), id="made-at-the-edge"))
    assert await everything(log) == []
