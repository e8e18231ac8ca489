"""A context with deadlines: a timer is set and rings once, in the manner that was set."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

import msgspec
from support.counter_context import TOPIC, everything
from support.faulty import FaultyLog
from support.fixed_infrastructure import NOW, FixedClock
from support.owners import ask, sent
from support.until import eventually

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.log.port import Log
from bookshelf.runtime.aggregate.host import AggregateHost

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
KEYS = [f"timer-{n}" for n in range(24)]

#: The command rings; appends nothing; is refused; fails; or rings, and the timer stays set to the same time.
Manner = Literal["rings", "appends nothing", "is refused", "breaks", "stays"]


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


async def timed(
    host: AggregateHost, key: str, by: timedelta | None = HOUR, manner: Manner = "rings"
) -> CommandResult:
    """Set a timer, to a time from the beginning of the test; or clear it."""
    return await ask(host, sent(key, Set(when=None if by is None else NOW + by, manner=manner)))


async def all_rang(log: FaultyLog, *keys: str) -> None:
    """Return once these have rung; no other may have, and none twice."""

    async def together() -> bool:
        return (await rung(log)).keys() >= set(keys)

    await eventually(together, f"{keys} have rung")
    assert await rung(log) == dict.fromkeys(keys, 1)


async def types(log: FaultyLog, key: str) -> list[str]:
    records = [record for record in await everything(log) if record.key == key]
    return [msgspec.json.decode(record.value)["type"] for record in records]


async def passed(host: AggregateHost, log: FaultyLog, clock: FixedClock, name: str = "sentinel") -> None:
    """Return once the owners have done all that is due by now: a timer beside each of the others rings."""
    every = {host.partition(f"{name}-{n}"): f"{name}-{n}" for n in range(40)}
    for key in every.values():
        await ask(host, sent(key, Set(when=clock.now())))

    async def together() -> bool:
        return (await rung(log)).keys() >= set(every.values())

    await eventually(together, "everything that is due has been done")
