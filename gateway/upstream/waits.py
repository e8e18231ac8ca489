"""Counts the requests that wait: for the end of a pause, for a service that is away, for a primary."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Waits:
    """What waits now, and what has waited since the beginning; `seconds` is the time of all together.

    `refused` are the requests that have waited too long, or in whose place too many others wait.
    """

    __slots__ = ("now", "refused", "requests", "seconds")

    def __init__(self) -> None:
        self.now = self.requests = self.refused = 0
        self.seconds = 0.0

    @contextmanager
    def hold(self, clock: Callable[[], float], *, first: bool = True) -> Iterator[None]:
        """Count a request that waits in the block; `first`: it has not waited before. `clock`: in seconds."""
        began = clock()
        self.now += 1
        self.requests += first
        try:
            yield
        finally:
            self.now -= 1
            self.seconds += clock() - began


#: Requests of one service that are held at once while it is away; further ones are answered at once.
_HELD = 200


class Absence:
    """Since when a service has no instance that accepts connections, and how many requests are held for it.

    Only a service that has answered before is expected back. `waits` counts these requests, and those that
    wait for a primary of the service.
    """

    __slots__ = ("_held", "_known", "_since", "waits")

    def __init__(self) -> None:
        self._known = False
        self._since: float | None = None
        self._held = 0
        self.waits = Waits()

    def ended(self) -> None:
        """Record that an instance has answered."""
        self._known, self._since = True, None

    def until(self, now: float, away_s: float) -> float:
        """Return the time until which a request may be held, `away_s` after the absence was first seen.

        It is `now`, if the service is not expected back or too many requests are held.
        """
        if not self._known or self._held >= _HELD:
            return now
        if self._since is None:
            self._since = now
        return self._since + away_s

    @contextmanager
    def hold(self, clock: Callable[[], float], *, first: bool) -> Iterator[None]:
        """Count a request as held in the block; `first`: it was not held before."""
        self._held += 1
        try:
            with self.waits.hold(clock, first=first):
                yield
        finally:
            self._held -= 1

    def refuse(self) -> None:
        """Count a request that is turned away, unless the service was never there."""
        self.waits.refused += self._known
