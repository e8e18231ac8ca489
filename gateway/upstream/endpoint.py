"""One upstream endpoint: requests under way, mean response time, ejection, and its circuit breaker."""

from dataclasses import dataclass, field

from bookshelf.circuit_breaker import BreakerLimits, CircuitBreaker
from bookshelf.discovery.port import Instance
from gateway.upstream.revisions import ServiceRevision

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

    __slots__ = ("breaker", "ejection", "instance", "mean_s", "outstanding", "revision", "samples")

    def __init__(self, instance: Instance, limits: OutlierLimits) -> None:
        self.instance = instance
        #: The revision that the instance must have at least; all instances of a service share it.
        self.revision = ServiceRevision(("", instance.service, ""), None)
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
