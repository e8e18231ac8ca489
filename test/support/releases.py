"""Tallies in two releases: both read a newer version of an event; the later one writes it."""

from dataclasses import replace
from typing import Any, ClassVar

import msgspec
from support.counter_context import TALLY, VIEW, Count, Counted, Tally, count_row, decide, everything, evolve

from bookshelf.cqrs.catalogue import Catalogue, Upcast
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.view import Change, Recorded
from bookshelf.log.port import Log


class Scored(Event, frozen=True):
    """What `Counted` has become: its number has another name, and it has a unit."""

    TYPE: ClassVar[str] = "test.counted.v2"
    points: int
    of: str


def _lifted(old: dict[str, Any]) -> dict[str, Any]:
    return {"points": old["by"], "of": "something"}


def _score(tally: Tally, command: Command) -> list[Event]:
    said = decide(tally, command)
    return [Scored(points=one.by, of="books") for one in said if isinstance(one, Counted)]


def _evolve(tally: Tally, event: Event) -> Tally:
    match event:
        case Scored(points=points):
            return evolve(tally, Counted(by=points))
    return evolve(tally, event)


def _row(event: Any, recorded: Recorded) -> list[Change]:  # noqa: ANN401 (a handler of one event)
    return count_row(Counted(by=event.points), recorded)


_BOTH = Catalogue(Counted, Scored)
_NEWER = Catalogue(Scored, upcasts=(Upcast(Counted.TYPE, Scored, _lifted),))
#: Knows nothing of it yet; reads it and writes the old one; writes it.
BEFORE = TALLY
READS = replace(TALLY, catalogue=_BOTH, evolve=_evolve)
WRITES = replace(TALLY, catalogue=_NEWER, evolve=_evolve, decide=_score)
VIEW_READS = replace(VIEW, catalogue=_BOTH, handlers={Counted: count_row, Scored: _row})
VIEW_WRITES = replace(VIEW, catalogue=_NEWER, handlers={Scored: _row})


async def said(log: Log) -> dict[str, dict[str, int]]:
    """Return the sums by key, by the type of their events."""
    found: dict[str, dict[str, int]] = {}
    for record in await everything(log):
        envelope = msgspec.json.decode(record.value)
        data, kind = envelope["data"], envelope["type"]
        sums = found.setdefault(kind, {})
        sums[record.key] = sums.get(record.key, 0) + int(data.get("points", data.get("by", 0)))
    return found


__all__ = ["BEFORE", "READS", "VIEW_READS", "VIEW_WRITES", "WRITES", "Count", "Counted", "Scored", "said"]
