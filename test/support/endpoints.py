"""Endpoints as unit tests need them: of no instance that runs."""

from bookshelf.circuit_breaker import BreakerLimits
from bookshelf.discovery.port import Instance
from gateway.upstream.endpoint import OutlierLimits, UpstreamEndpoint

#: Opens at once, for a second.
TOUCHY = OutlierLimits(
    breaker=BreakerLimits(failures=1), ejection=BreakerLimits(failures=2), slow_s=0.1, slower=3.0, samples=5
)


def endpoint(name: str, outstanding: int = 0, tolerance: OutlierLimits = TOUCHY) -> UpstreamEndpoint:
    """Return one that is well, and busy with so many requests."""
    made = UpstreamEndpoint(
        Instance(id=name, service="s", tags=("t",), address="127.0.0.1", port=1, meta={}), tolerance
    )
    made.outstanding = outstanding
    return made


def timed(name: str, seconds: float, samples: int = 5) -> UpstreamEndpoint:
    """Return one that has taken so long, so often."""
    made = endpoint(name)
    for _ in range(samples):
        made.took(seconds)
    return made
