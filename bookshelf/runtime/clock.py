"""Time and identity, as ports: a simulation hands in its own."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""


class Ids(Protocol):
    """Where new names come from."""

    def new(self) -> str:
        """Return a name that nothing else has, as a UUID's text."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return datetime.now(UTC)


class SystemIds:
    """UUID version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits; so newer sorts later."""

    def __init__(self, clock: Clock, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random = random

    def new(self) -> str:
        """Return a new UUIDv7."""
        millis = int(self._clock.now().timestamp() * 1000)
        noise = int.from_bytes(self._random(10), "big")
        high = millis << 16 | 0x7000 | noise >> 68
        low = 0x8000000000000000 | noise & 0x3FFFFFFFFFFFFFFF
        return str(UUID(int=high << 64 | low))
