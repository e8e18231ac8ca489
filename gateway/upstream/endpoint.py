"""One instance, as it has shown itself: what it is busy with, how fast it is, whether it may be asked."""

from dataclasses import dataclass, field

from bookshelf.discovery.port import Instance
from gateway.upstream.breaker import BreakerLimits, CircuitBreaker

#: The weight of the newest time in the mean of all: about the last twenty count.
_NEWEST = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierLimits:
    """What is borne before an instance is left alone.

    `breaker`: of no connection and no answer. `ejection`: of answers that say it is broken. `slow_s` and
    `slower`: its mean time is over both, this many seconds and this many times what the others take;
    looked at once `samples` are there.
    """

    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    ejection: BreakerLimits = field(default_factory=BreakerLimits)
    slow_s: float = 0.1
    slower: float = 5.0
    samples: int = 20


class UpstreamEndpoint:
    """An instance and what is known of it. `mean_s`: seconds until an answer begins."""

    __slots__ = ("breaker", "ejection", "instance", "mean_s", "outstanding", "samples")

    def __init__(self, instance: Instance, tolerance: OutlierLimits) -> None:
        self.instance = instance
        self.outstanding = 0
        self.breaker = CircuitBreaker(tolerance.breaker)
        self.ejection = CircuitBreaker(tolerance.ejection)
        self.mean_s = 0.0
        self.samples = 0

    @property
    def well(self) -> bool:
        """Whether nothing speaks against it."""
        return self.breaker.closed and self.ejection.closed

    def took(self, seconds: float) -> None:
        """Note how long an answer took to begin."""
        self.samples += 1
        self.mean_s += max(_NEWEST, 1 / self.samples) * (seconds - self.mean_s)

    def begin_anew(self) -> None:
        """Forget how fast it was."""
        self.samples = 0
        self.mean_s = 0.0
