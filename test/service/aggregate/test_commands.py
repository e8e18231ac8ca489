"""An owner's answers, and that they agree with the log."""

import asyncio
from dataclasses import replace

import pytest
from support.counter_context import TALLY, TOPIC, Count, Tally, counted, everything, totals, written
from support.faulty import FaultyLog, gate
from support.owners import Owners, ask, count, offset, sent

from bookshelf.cqrs.catalogue import Catalogue, UnknownEvent
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Changed, NotFound
from bookshelf.runtime.aggregate.command import NotOwner


async def test_a_command_is_in_the_log_when_it_is_answered(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    outcome = await count(host, "a", 3)
    assert (outcome.subject, outcome.state, outcome.replayed) == ("a", Tally(sum=3, said=1), False)
    [record] = await everything(log)
    assert outcome.position is not None
    assert str(outcome.position) == f"{TOPIC}/{record.partition}@{record.offset}"
    assert (record.key, outcome.version) == ("a", record.offset)


async def test_each_command_sees_the_events_of_the_commands_before_it(owners: Owners) -> None:
    host = await owners.host()
    assert [(await count(host, "a", by)).state.sum for by in (1, 2, 3)] == [1, 3, 6]


async def test_a_command_with_several_events_is_answered_with_the_last_position(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    outcome = await ask(host, sent("a", Count(by=1, times=3)))
    assert outcome.state == Tally(sum=3, said=3)
    *_, last = await everything(log)
    assert outcome.version == offset(outcome) == last.offset


async def test_a_command_without_events_appends_nothing(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    first = await count(host, "a")
    nothing = await count(host, "a", 0)
    assert (nothing.state, nothing.version, nothing.position) == (first.state, first.version, first.position)
    assert len(await everything(log)) == 1


async def test_a_refused_command_appends_nothing(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    with pytest.raises(NotFound):
        await ask(host, sent("a", Count(must=True)))
    assert await everything(log) == []


async def test_an_event_missing_in_the_catalogue_is_a_defect_and_appends_nothing(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host(replace(TALLY, catalogue=Catalogue()))
    with pytest.raises(UnknownEvent, match=rf"Counted \(.*\) is not in the catalogue of topic {TOPIC}"):
        await count(host, "a")
    assert await everything(log) == []


async def test_a_command_is_refused_only_after_reading_to_the_end(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    log.readable.clear()
    await written(log, counted("a", 5, source="another"), partition=host.partition("a"))
    asked = host.ask(sent("a", Count(must=True)))
    asyncio.get_running_loop().call_soon(log.readable.set)
    async with asyncio.timeout(30):
        assert (await asked).state.sum == 6


async def test_commands_queued_during_an_append_are_the_next_batch(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    await count(host, "a")
    log.batches.clear()
    reached, opened = asyncio.Event(), asyncio.Event()
    log.appends.append(gate(reached, opened))
    first = host.ask(sent("a"))
    async with asyncio.timeout(30):
        await reached.wait()
        rest = [host.ask(sent("a")) for _ in range(20)]
        opened.set()
        outcomes = await asyncio.gather(first, *rest)
    assert [outcome.state.sum for outcome in outcomes] == list(range(2, 23))
    assert log.batches == [1, 20]


async def test_two_commands_on_one_key_in_one_batch_see_each_other(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    both = [host.ask(sent("a", Count(by=2))), host.ask(sent("a", Count(must=True)))]
    async with asyncio.timeout(30):
        first, second = await asyncio.gather(*both)
    assert (first.state.sum, second.state.sum) == (2, 3)
    assert offset(second) == offset(first) + 1
    assert log.batches == [2]


async def test_a_refusal_is_decided_again_after_reading_to_the_end(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    log.readable.clear()
    await written(log, counted("a", 10, source="another"), partition=host.partition("a"))
    both = [host.ask(sent("a", Count(must=True))), host.ask(sent("a", Count(by=2)))]
    asyncio.get_running_loop().call_soon(log.readable.set)
    async with asyncio.timeout(30):
        first, second = await asyncio.gather(*both)
    assert (first.state.sum, second.state.sum) == (11, 13)
    assert (await count(host, "a", 0)).state.sum == 13


async def test_a_refusal_beside_an_event_keeps_the_order_of_commands(owners: Owners) -> None:
    host = await owners.host()
    both = [host.ask(sent("a", Count(must=True))), host.ask(sent("a", Count(by=2)))]
    async with asyncio.timeout(30):
        refused, said = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(refused, NotFound)
    assert isinstance(said, CommandResult)
    assert (await count(host, "a", 0)).state == said.state == Tally(sum=2, said=1)


async def test_events_of_other_writers_are_applied_in_log_order(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    reached, opened = asyncio.Event(), asyncio.Event()
    log.appends.append(gate(reached, opened))
    mine = host.ask(sent("a", Count(by=1)))
    async with asyncio.timeout(30):
        await reached.wait()
        await written(log, counted("a", 10, source="another"), partition=host.partition("a"))
        opened.set()
        outcome = await mine
    theirs, ours = await everything(log)
    assert (outcome.state, outcome.version) == (Tally(sum=11, said=2), ours.offset)
    assert theirs.offset < ours.offset
    assert (await count(host, "a", 0)).state == Tally(sum=11, said=2)


async def test_an_outdated_version_is_refused(owners: Owners) -> None:
    host = await owners.host()
    first = await count(host, "a")
    second = await ask(host, sent("a", expects=frozenset({first.version})))
    with pytest.raises(Changed):
        await ask(host, sent("a", expects=frozenset({first.version})))
    assert (await ask(host, sent("a", expects=frozenset({99, second.version})))).state.sum == 3


async def test_a_version_is_outdated_once_another_service_wrote(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    first = await count(host, "a")
    log.readable.clear()
    theirs = await written(log, counted("a", source="another"), partition=host.partition("a"))
    asked = host.ask(sent("a", expects=frozenset({first.version})))
    asyncio.get_running_loop().call_soon(log.readable.set)
    async with asyncio.timeout(30):
        with pytest.raises(Changed):
            await asked
    assert (await ask(host, sent("a", expects=frozenset({theirs})))).state.sum == 3


async def test_an_aggregate_without_events_has_no_version(owners: Owners) -> None:
    host = await owners.host()
    with pytest.raises(Changed):
        await ask(host, sent("a", expects=frozenset()))


async def test_a_partition_with_another_owner_is_reported(owners: Owners) -> None:
    await owners.host()
    second = owners.make()
    with pytest.raises(NotOwner):
        second.ask(sent("a"))


async def test_every_aggregate_is_in_the_partition_of_its_id(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    names = [f"tally-{n}" for n in range(50)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(host.ask(sent(name)) for name in names))
    assert await totals(log) == dict.fromkeys(names, 1)
    assert {record.partition for record in await everything(log)} == host.owned
    assert all(record.partition == host.partition(record.key) for record in await everything(log))
    assert host.aggregate is TALLY
