"""Waiting for a time of day: by the clock, not by how long it was to take."""

import asyncio
from datetime import UTC, datetime, timedelta

from bookshelf.runtime.clock import SystemClock

HOUR = timedelta(hours=1)


class Set(SystemClock):
    """A clock that is set an hour ahead once it was looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def now(self) -> datetime:
        self.looks += 1
        return super().now() + (HOUR if self.looks > 1 else timedelta())


def test_waiting_for_a_past_time_returns_at_once() -> None:
    asyncio.run(SystemClock().until(datetime.now(UTC) - HOUR))


def test_a_wait_ends_at_its_time_and_not_before() -> None:
    clock, when = SystemClock(), datetime.now(UTC) + timedelta(milliseconds=20)
    asyncio.run(clock.until(when))
    assert clock.now() >= when


def test_a_wait_follows_a_clock_that_is_set() -> None:
    clock = Set()
    asyncio.run(clock.until(datetime.now(UTC) + timedelta(milliseconds=10)))
    assert clock.looks == 2
