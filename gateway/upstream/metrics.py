"""Prometheus metrics of upstream endpoints and retries, collected when /metrics is read.

Prometheus itself labels series with `instance`, and many configurations with `service`; the labels here are
`endpoint` and `upstream`.
"""

from collections.abc import Callable, Iterable
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.upstream.pool import Pools

_STATES = {"closed": 0, "half-open": 1, "open": 2}


class UpstreamMetrics(Collector):
    """Collects the series of the endpoints that are ready; one that is gone has no series any more."""

    def __init__(self, pools: Pools, clock: Callable[[], float] = monotonic) -> None:
        self._pools = pools
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield each metric."""
        yield from self._instances()
        yield from self._services()

    def _instances(self) -> Iterable[Metric]:
        now = self._clock()
        busy = _gauge("outstanding", "Requests that an endpoint has not answered yet", "endpoint")
        mean = _gauge("answer_seconds", "Mean seconds until an endpoint's answer begins", "endpoint")
        breaker = _gauge("breaker", "An endpoint's breaker: 0 closed, 1 half-open, 2 open", "endpoint")
        ejected = _gauge(
            "ejected", "Whether an endpoint is ejected: 0 no, 1 a probe is due, 2 yes", "endpoint"
        )
        for endpoint in self._pools.instances():
            name = [endpoint.instance.id]
            busy.add_metric(name, endpoint.outstanding)
            mean.add_metric(name, endpoint.mean_s)
            breaker.add_metric(name, _STATES[endpoint.breaker.state(now)])
            ejected.add_metric(name, _STATES[endpoint.ejection.state(now)])
        return [busy, mean, breaker, ejected]

    def _services(self) -> Iterable[Metric]:
        retries = _counter("retries", "Requests that were sent once more")
        refused = _counter("retries_refused", "Retries that there was no budget for")
        ejections = _counter("ejections", "Endpoints that were ejected")
        for pool in self._pools.all():
            name = [pool.name]
            retries.add_metric(name, pool.budget.spent)
            refused.add_metric(name, pool.budget.refused)
            ejections.add_metric(name, pool.outliers.ejected)
        return [retries, refused, ejections]


def _gauge(name: str, what: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"bookshelf_gateway_{name}", what, labels=[label])


def _counter(name: str, what: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"bookshelf_gateway_{name}", what, labels=["upstream"])
