"""Counts the requests that wait in the gateway: while it is paused, and for a service that is away."""

from collections.abc import Iterator
from contextlib import contextmanager


class Waits:
    """What waits now, and what has waited since the beginning; `seconds` is the time of all together.

    `refused` are the requests that have waited too long, or in whose place too many others wait.
    """

    __slots__ = ("now", "refused", "requests", "seconds")

    def __init__(self) -> None:
        self.now = self.requests = self.refused = 0
        self.seconds = 0.0


#: Requests of one service that are held at once while it is away; further ones are answered at once.
_HELD = 200


class Absence:
    """Since when a service has no instance that accepts connections, and how many requests are held for it.

    Only a service that has answered before is expected back.
    """

    __slots__ = ("_known", "_since", "waits")

    def __init__(self) -> None:
        self._known = False
        self._since: float | None = None
        self.waits = Waits()

    def ended(self) -> None:
        """Record that an instance has answered."""
        self._known, self._since = True, None

    def until(self, now: float, away_s: float) -> float:
        """Return the time until which a request may be held, `away_s` after the absence was first seen.

        It is `now`, if the service is not expected back or too many requests are held.
        """
        if not self._known or self.waits.now >= _HELD:
            return now
        if self._since is None:
            self._since = now
        return self._since + away_s

    @contextmanager
    def hold(self, seconds: float, *, first: bool) -> Iterator[None]:
        """Count a request as held for so long; `first`: it was not held before."""
        self.waits.now += 1
        self.waits.requests += first
        self.waits.seconds += seconds
        try:
            yield
        finally:
            self.waits.now -= 1

    def refuse(self) -> None:
        """Count a request that is turned away, unless the service was never there."""
        self.waits.refused += self._known
