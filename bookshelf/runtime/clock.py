"""Time and identity, as ports: a simulation hands in its own."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

#: Names whose random bytes are fetched together.
_AT_ONCE = 256
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

    def new(self) -> str:
        """Return a new UUIDv7."""
        millis = int(self._clock.now().timestamp() * 1000)
        noise = int.from_bytes(self._ten_bytes(), "big")
        high = millis << 16 | 0x7000 | noise >> 68
        low = 0x8000000000000000 | noise & 0x3FFFFFFFFFFFFFFF
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _ten_bytes(self) -> bytes:
        if not self._noise:  # fetched for many: each call to the system lets another thread in
            many = self._random(10 * _AT_ONCE)
            self._noise = [many[place : place + 10] for place in range(0, 10 * _AT_ONCE, 10)]
        return self._noise.pop()
