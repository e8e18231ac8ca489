"""Time and identity, as ports: a simulation hands in its own."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

#: Names whose random bytes are fetched together.
_AT_ONCE = 256
#: Command ids that are remembered until their first use; beyond that the oldest are forgotten.
_UNUSED = 4096
#: Seconds after which who waits looks at the clock again: it may have been set, or the machine have slept.
_LOOK_S = 60.0


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""

    async def until(self, when: datetime) -> None:
        """Return once it is `when` (aware), at once if it is past."""


class Ids(Protocol):
    """Where new names come from."""

    def new(self) -> str:
        """Return a name that nothing else has, as a UUID's text."""

    def new_command(self) -> str:
        """Return a new id for a command, and remember it for `is_first_use`."""

    def is_first_use(self, command_id: str) -> bool:
        """Return True once for each id of `new_command`: no command was carried out under it before.

        False is no proof of the opposite: the ids of other processes are unknown, and so are old ones.
        """


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return datetime.now(UTC)

    async def until(self, when: datetime) -> None:
        """Return once it is `when`; a jump of the clock is seen within a minute."""
        while (left_s := (when - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 (a clock has no event)
            await asyncio.sleep(min(left_s, _LOOK_S))


class SystemIds:
    """UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits; so newer sorts later."""

    def __init__(self, clock: Clock, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random = random
        self._noise: list[bytes] = []
        self._unused: dict[str, None] = {}

    def new(self) -> str:
        """Return a new UUIDv7."""
        millis = int(self._clock.now().timestamp() * 1000)
        noise = int.from_bytes(self._ten_bytes(), "big")
        high = millis << 16 | 0x7000 | noise >> 68
        low = 0x8000000000000000 | noise & 0x3FFFFFFFFFFFFFFF
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def new_command(self) -> str:
        """Return a new UUIDv7, and remember it until its first use."""
        if len(self._unused) >= _UNUSED:
            del self._unused[next(iter(self._unused))]
        self._unused[made := self.new()] = None
        return made

    def is_first_use(self, command_id: str) -> bool:
        """Return True if `new_command` returned this id and it was not asked about since."""
        if command_id not in self._unused:
            return False
        del self._unused[command_id]
        return True

    def _ten_bytes(self) -> bytes:
        if not self._noise:  # fetched for many: each call to the system lets another thread in
            many = self._random(10 * _AT_ONCE)
            self._noise = [many[place : place + 10] for place in range(0, 10 * _AT_ONCE, 10)]
        return self._noise.pop()
