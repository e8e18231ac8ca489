"""An owner keeps no state for the keys of events that its aggregate does not fold."""

from dataclasses import replace
from typing import ClassVar

from support.counter_context import TALLY, Counted, Tally, counted, said, written
from support.faulty import FaultyLog
from support.owners import Owners, ask, sent

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event
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
