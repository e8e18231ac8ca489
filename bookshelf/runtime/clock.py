"""The ports for the time and for new ids, and their real adapters; a simulation has its own."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

#: Ids whose random bytes are fetched in one call.
_AT_ONCE = 256
#: Command ids that are remembered until their first use; beyond that the oldest are forgotten.
_UNUSED = 4096
#: Seconds after which a wait reads the clock again: it may have been set, or the machine may have slept.
_LOOK_S = 60.0


class Clock(Protocol):
    """The port for the time."""

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""

    async def until(self, when: datetime) -> None:
        """Wait until `when` (aware); return at once if that is past."""


class Ids(Protocol):
    """The port for new ids."""

    def new(self) -> str:
        """Return a unique id: the text of a UUID."""

    def new_command(self) -> str:
        """Return a unique id for a command, and remember it for `is_first_use`."""

    def is_first_use(self, command_id: str) -> bool:
        """Return True, once, for an id of `new_command`: no command was carried out under it before.

        False proves nothing: ids of other processes and ids that were forgotten are unknown.
        """


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        return datetime.now(UTC)

    async def until(self, when: datetime) -> None:
        """Wait until `when`; a jump of the clock is noticed within a minute."""
        while (left_s := (when - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 (a clock has no event)
            await asyncio.sleep(min(left_s, _LOOK_S))


class SystemIds:
    """Makes UUIDs of version 7 (RFC 9562), which sort by time: 48 bits of milliseconds, 74 random bits."""

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
        """Return True if `new_command` returned this id and this is the first call for it."""
        if command_id not in self._unused:
            return False
        del self._unused[command_id]
        return True

    def _ten_bytes(self) -> bytes:
        if not self._noise:  # fetched for many ids, because each system call may switch threads
            many = self._random(10 * _AT_ONCE)
            self._noise = [many[start : start + 10] for start in range(0, 10 * _AT_ONCE, 10)]
        return self._noise.pop()
