"""A circuit breaker: stops calls to what does not answer, and lets one trial through after a while.

Source: M. Nygard, Release It!, "Circuit Breaker". Time comes with each call, in seconds of any one clock.
"""

from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When a breaker opens and for how long.

    It opens after `failures` in a row, for `first_s` seconds; each failed trial doubles that, up to
    `longest_s`.
    """

    failures: int = 5
    first_s: float = 1.0
    longest_s: float = 30.0


class CircuitBreaker:
    """Is closed, open or half-open. While it is not closed, only the outcome of the trial request counts.

    For each request the caller calls `enter`, then one of `succeeded`, `failed` and `left` with the result of
    `enter` as `trial`.
    """

    __slots__ = ("_failures", "_limits", "_trying", "_until", "_wait_s", "closed")

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self.closed = True
        self._failures = 0
        self._until = 0.0
        self._wait_s = limits.first_s
        self._trying = False

    def state(self, now: float) -> BreakerState:
        """Return the state at the time `now`."""
        if self.closed:
            return "closed"
        return "half-open" if self._trying or now >= self._until else "open"

    @property
    def retry_at(self) -> float:
        """The time from which on an open breaker allows the trial."""
        return 0.0 if self.closed else self._until

    def allows(self, now: float) -> bool:
        """Return True if a request may be sent now."""
        return self.closed or (now >= self._until and not self._trying)

    def enter(self, now: float) -> bool:
        """Record that a request is sent; return True if it is the trial."""
        if self.closed or now < self._until or self._trying:
            return False
        self._trying = True
        return True

    def succeeded(self, *, trial: bool = False) -> None:
        """Record that a request succeeded."""
        if self.closed:
            self._failures = 0
        elif trial:
            self._close()

    def failed(self, now: float, *, trial: bool = False) -> None:
        """Record that a request failed."""
        if self.closed:
            self._failures += 1
            if self._failures >= self._limits.failures:
                self.trip(now)
        elif trial:
            self._wait_s = min(2 * self._wait_s, self._limits.longest_s)
            self.trip(now)

    def left(self, *, trial: bool = False) -> None:
        """Record that a request ended without a result, for example because its client disconnected."""
        if trial:
            self._trying = False

    def trip(self, now: float) -> None:
        """Open the breaker from `now` on."""
        self.closed = False
        self._trying = False
        self._until = now + self._wait_s

    def _close(self) -> None:
        self.closed = True
        self._trying = False
        self._failures = 0
        self._wait_s = self._limits.first_s
