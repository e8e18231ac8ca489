"""One upstream endpoint: requests under way, mean response time, ejection, and its circuit breaker.

Source: M. Nygard, Release It!, "Circuit Breaker". Time comes with each call, in seconds of any one clock.
"""

from dataclasses import dataclass, field
from typing import Literal

from bookshelf.discovery.port import Instance

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


#: The weight of the newest response time in the moving mean, which covers about the last twenty.
_NEWEST = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierLimits:
    """When an upstream endpoint is taken out of use.

    `breaker`: limits for failed connections and missing responses. `ejection`: limits for responses that
    report a failure. An endpoint is slow if its mean response time is over `slow_s` seconds and over `slower`
    times the median of the others; it needs `samples` responses to be judged.
    """

    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    ejection: BreakerLimits = field(default_factory=BreakerLimits)
    slow_s: float = 0.1
    slower: float = 5.0
    samples: int = 20


class UpstreamEndpoint:
    """An instance that the gateway can call, with its statistics.

    `mean_s`: mean seconds until a response begins.
    """

    __slots__ = ("breaker", "ejection", "instance", "mean_s", "outstanding", "samples")

    def __init__(self, instance: Instance, limits: OutlierLimits) -> None:
        self.instance = instance
        self.outstanding = 0
        self.breaker = CircuitBreaker(limits.breaker)
        self.ejection = CircuitBreaker(limits.ejection)
        self.mean_s = 0.0
        self.samples = 0

    @property
    def is_healthy(self) -> bool:
        """True if the breaker is closed and the endpoint is not ejected."""
        return self.breaker.closed and self.ejection.closed

    def took(self, seconds: float) -> None:
        """Add the seconds that a response took to begin to the mean."""
        self.samples += 1
        self.mean_s += max(_NEWEST, 1 / self.samples) * (seconds - self.mean_s)

    def begin_anew(self) -> None:
        """Discard the response times."""
        self.samples = 0
        self.mean_s = 0.0
