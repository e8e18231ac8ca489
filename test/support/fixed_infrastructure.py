"""Time, ids and meters that a test hands to what it tests."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.runtime.metrics import Meters, OwnerMeters, ViewMeters

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FixedClock:
    """A clock that a test moves by hand."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by
        self._moved.set()
        self._moved = asyncio.Event()

    async def until(self, when: datetime) -> None:
        while self._now < when:
            await self._moved.wait()


class CountedIds:
    """Ids that count in the order of their creation, each once in a test run."""

    _numbers = count()

    def __init__(self) -> None:
        #: How often each command id was asked about.
        self.uses: dict[str, int] = {}

    def new(self) -> str:
        return f"id-{next(self._numbers)}"

    def new_command(self) -> str:
        self.uses[made := self.new()] = 0
        return made

    def is_first_use(self, command_id: str) -> bool:
        if command_id not in self.uses:
            return False
        self.uses[command_id] += 1
        return self.uses[command_id] == 1


def owner_meters() -> OwnerMeters:
    return Meters().owner("tested")


def view_meters() -> ViewMeters:
    return Meters().view("tested")


def offset(outcome: CommandResult) -> int:
    """Return where the command was written."""
    assert outcome.position is not None
    return outcome.position.offset
