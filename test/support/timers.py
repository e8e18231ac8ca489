"""A context with deadlines: a timer is set, and rings once; what its ringing does is said when it is set."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from support.tally import TOPIC, everything

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.log.port import Log

#: Rings; has nothing to say; is refused; breaks; or rings, and stays set to the same time.
Manner = Literal["rings", "says nothing", "is refused", "breaks", "stays"]


class WasSet(Event, frozen=True):
    TYPE: ClassVar[str] = "test.timer-set.v1"
    when: datetime | None
    manner: Manner = "rings"


class Rang(Event, frozen=True):
    TYPE: ClassVar[str] = "test.timer-rang.v1"


class Set(Command, frozen=True):
    """Set the timer; to no time at all clears it."""

    TYPE: ClassVar[str] = "test.set-timer.v1"
    when: datetime | None
    manner: Manner = "rings"


class Ring(Command, frozen=True):
    TYPE: ClassVar[str] = "test.ring-timer.v1"


class Timer(State, frozen=True):
    when: datetime | None = None
    manner: Manner = "rings"
    rang: int = 0


def decide(timer: Timer, command: Command) -> list[Event]:
    match command, timer.manner:
        case Set(when=when, manner=manner), _:
            return [WasSet(when=when, manner=manner)]
        case Ring(), "is refused":
            raise Conflict("not now")
        case Ring(), "breaks":
            raise ZeroDivisionError
        case Ring(), "rings" | "stays":
            return [Rang()]
    return []


def evolve(timer: Timer, event: Event) -> Timer:
    match event:
        case WasSet(when=when, manner=manner):
            return msgspec.structs.replace(timer, when=when, manner=manner)
        case Rang():
            when = timer.when if timer.manner == "stays" else None
            return msgspec.structs.replace(timer, when=when, rang=timer.rang + 1)
    return timer


def due(timer: Timer) -> tuple[datetime, Command] | None:
    return None if timer.when is None else (timer.when, Ring())


TIMER = Aggregate(
    name="timer",
    topic=TOPIC,
    catalogue=Catalogue(WasSet, Rang),
    initial=Timer(),
    decide=decide,
    evolve=evolve,
    due=due,
)


async def rung(log: Log) -> dict[str, int]:
    """How often each timer rang, by the log."""
    found: dict[str, int] = {}
    for record in await everything(log):
        if msgspec.json.decode(record.value)["type"] == Rang.TYPE:
            found[record.key] = found.get(record.key, 0) + 1
    return found
