"""Timers of one test, and what became of them."""

from datetime import timedelta

import msgspec
from support.faulty import FaultyLog
from support.owners import ask, sent
from support.ports import NOW, FixedClock
from support.tally import everything
from support.timers import Manner, Set, rung
from support.until import eventually

from bookshelf.runtime.owner.command import Outcome
from bookshelf.runtime.owner.host import AggregateHost

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = NOW + HOUR
KEYS = [f"timer-{n}" for n in range(24)]


async def timed(
    host: AggregateHost, key: str, by: timedelta | None = HOUR, manner: Manner = "rings"
) -> Outcome:
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


async def has_rung(log: FaultyLog, key: str) -> bool:
    return key in await rung(log)
