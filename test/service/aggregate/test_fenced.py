"""Fenced aggregates: a command with a lower token than was accepted before changes nothing."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from support.counter_context import TALLY, Count, Tally, everything, totals
from support.owners import Owners, new_stores, sent, sqlite_stores

from bookshelf.cqrs.envelope import ANSWERED, decode_envelope
from bookshelf.cqrs.errors import NotFound, StaleToken
from bookshelf.cqrs.message import Command
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.aggregate.read_state import ReadState

FENCED = replace(TALLY, fenced=True)


async def test_a_lower_token_is_refused_and_an_equal_or_higher_one_accepted() -> None:
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host(FENCED)
        for token in (7, 7, 9):
            await host.ask(sent("a", token=token))
        with pytest.raises(StaleToken, match="the fencing token 8 is older than the token 9"):
            await host.ask(sent("a", token=8))
        await host.ask(sent("b", token=1))  # another instance has tokens of its own
        assert await totals(log) == {"a": 3, "b": 1}


async def test_without_a_token_a_command_is_older_than_any_token() -> None:
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host(FENCED)
        await host.ask(sent("a"))
        await host.ask(sent("a", token=0))
        with pytest.raises(StaleToken, match="without a fencing token is older"):
            await host.ask(sent("a"))
        assert await totals(log) == {"a": 2}


async def test_what_changes_nothing_fences_too() -> None:
    """Its sender has an answer that rests on the state: a former holder must not change that any more."""
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host(FENCED)
        await host.ask(sent("a", Count(by=0), token=9))
        await host.ask(sent("a", Count(by=0), token=9))
        with pytest.raises(StaleToken):
            await host.ask(sent("a", token=8))
        assert [decode_envelope(record.value).type for record in await everything(log)] == [ANSWERED]


async def test_a_read_with_a_token_fences_once() -> None:
    """What its reader decides on it must not be changed by a former holder before that is written."""
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host(FENCED)
        await host.ask(sent("a", token=8))
        reads = [await host.ask(sent("a", ReadState(), token=9)) for _ in range(3)]
        assert [(read.state, read.version) for read in reads] == [(Tally(sum=1, said=1), 0)] * 3
        with pytest.raises(StaleToken):
            await host.ask(sent("a", token=8))
        with pytest.raises(StaleToken):
            await host.ask(sent("a", ReadState(), token=8))
        await host.ask(sent("a", ReadState()))  # it is only shown
        await host.ask(sent("a", token=9))
        types = [decode_envelope(record.value).type for record in await everything(log)]
        assert types.count(ANSWERED) == 1
        assert await totals(log) == {"a": 2}


async def test_reads_of_other_aggregates_leave_nothing_in_the_log() -> None:
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host()
        await host.ask(sent("a", ReadState(), token=9))
        assert await everything(log) == []


async def test_a_refused_command_does_not_count() -> None:
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host(FENCED)
        with pytest.raises(NotFound):
            await host.ask(sent("a", Count(must=True), token=9))
        await host.ask(sent("a", token=8))
        assert await totals(log) == {"a": 1}


async def test_a_repetition_gets_its_first_answer_with_any_token() -> None:
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host(FENCED)
        first = await host.ask(sent("a", id="key-1", token=3))
        await host.ask(sent("a", token=9))
        again = await host.ask(sent("a", id="key-1", token=3))
        assert (again.replayed, again.position) == (True, first.position)
        assert await totals(log) == {"a": 2}


async def test_commands_of_one_batch_are_fenced_in_their_order() -> None:
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host(FENCED)
        asked = [host.ask(sent("a", token=token)) for token in (5, 9, 5, 9)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(result, StaleToken) for result in results] == [False, False, True, False]
        assert await totals(log) == {"a": 3}


@pytest.mark.parametrize("command", [Count(), ReadState()], ids=["written", "read"])
@pytest.mark.parametrize("kept", [True, False], ids=["with its states", "from the log alone"])
async def test_the_next_owner_knows_the_token(tmp_path: Path, kept: bool, command: Command) -> None:  # noqa: FBT001 (a case)
    log, stores = MemoryLog(1), sqlite_stores(tmp_path) if kept else new_stores
    async with Owners(log, stores) as owners:
        await (await owners.host(FENCED)).ask(sent("a", command, token=9))
    async with Owners(log, stores) as owners:
        host = await owners.host(FENCED)
        with pytest.raises(StaleToken):
            await host.ask(sent("a", token=8))


async def test_an_aggregate_that_is_not_fenced_ignores_tokens() -> None:
    async with Owners(log := MemoryLog(1)) as owners:
        host = await owners.host()
        await host.ask(sent("a", token=9))
        await host.ask(sent("a", token=1))
        assert await totals(log) == {"a": 2}
        assert b"fencingtoken" not in b"".join(record.value for record in await everything(log))
