"""An owner keeps no state for the keys of events that its aggregate does not fold; what it folds it has read
before it declines a command."""

import asyncio
from dataclasses import replace
from typing import ClassVar

from support.counter_context import TALLY, Count, Counted, Tally, counted, everything, said, written
from support.faulty import FaultyLog
from support.owners import Owners, ask, sent

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Command, Event
from bookshelf.log.port import partition_of


class Other(Event, frozen=True):
    """An event of another kind of aggregate in the same topic."""

    TYPE: ClassVar[str] = "test.other.v1"


CONCERNED = replace(TALLY, catalogue=Catalogue(Counted, Other), folds=(Counted,))


async def test_other_events_are_passed_over_and_later_commands_see_what_concerns_them(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host(CONCERNED)
    partition = partition_of("a", log.partitions(TALLY.topic))
    others = [said(Other.TYPE, f"other-{n}", b"{}", source="another") for n in range(50)]
    last = await written(log, *others, counted("a", 3, source="another"), *others, partition=partition)
    outcome = await ask(host, sent("a", expects=frozenset({last - len(others)})))
    assert outcome.state == Tally(sum=4, said=2)
    assert outcome.version > last
    assert sum(len(states) for states in owners.states) <= 2


class Short(Event, frozen=True):
    """Less was counted than a command wants to take."""

    TYPE: ClassVar[str] = "test.short.v1"


def take(tally: Tally, command: Command) -> list[Event]:
    assert isinstance(command, Count)
    return [Counted(by=-command.by)] if command.by <= tally.sum else [Short()]


TAKEN = replace(TALLY, catalogue=Catalogue(Counted, Short), decide=take, refusals=(Short,))


async def test_a_command_is_declined_by_an_event_only_after_reading_to_the_end(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host(TAKEN)
    log.readable.clear()
    await written(log, counted("a", 10, source="another"), partition=host.partition("a"))
    asked = asyncio.ensure_future(ask(host, sent("a", Count(by=3))))
    asyncio.get_running_loop().call_soon(log.readable.set)
    assert (await asked).state == Tally(sum=7, said=2)
    assert b"test.short.v1" not in b"".join(record.value for record in await everything(log))
    await ask(host, sent("a", Count(by=8)))
    assert b"test.short.v1" in (await everything(log))[-1].value
