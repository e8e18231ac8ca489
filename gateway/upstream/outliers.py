"""Outlier detection: ejects an endpoint that fails or is far slower than the others, until a probe succeeds.

An ejection is a second circuit breaker, and the request that its half-open state lets through is the probe.
Unlike the first one it is ignored when all endpoints are ejected (`Balancer`): a bad response is better than
none.
"""

from collections.abc import Iterable
from statistics import median

import structlog

from gateway.upstream.endpoint import OutlierLimits, UpstreamEndpoint

_logger = structlog.get_logger(__name__)


class OutlierDetection:
    """Ejects endpoints of one pool by their failures, and by their response times beside the others'."""

    __slots__ = ("_limits", "ejected")

    def __init__(self, limits: OutlierLimits) -> None:
        self._limits = limits
        #: Ejections since the beginning.
        self.ejected = 0

    def answered(
        self,
        endpoint: UpstreamEndpoint,
        now: float,
        *,
        bad: bool,
        trial: bool,
        peers: Iterable[UpstreamEndpoint],
    ) -> None:
        """Eject or readmit an endpoint after a response, whose time is already in the endpoint's mean."""
        slow = self._slow(endpoint, trial=trial, peers=peers)
        was = endpoint.ejection.closed
        if bad or (slow and trial):
            endpoint.ejection.failed(now, trial=trial)
        elif slow and was:
            endpoint.ejection.trip(now)
        else:
            endpoint.ejection.succeeded(trial=trial)
        if trial or endpoint.ejection.closed is not was:
            endpoint.begin_anew()
        if endpoint.ejection.closed is not was:
            self._changed(endpoint, why="slow" if slow else "bad answers")

    def _slow(self, endpoint: UpstreamEndpoint, *, trial: bool, peers: Iterable[UpstreamEndpoint]) -> bool:
        limits = self._limits
        if endpoint.mean_s < limits.slow_s or (endpoint.samples < limits.samples and not trial):
            return False
        others = [
            peer.mean_s
            for peer in peers
            if peer is not endpoint and peer.is_healthy and peer.samples >= limits.samples
        ]
        return bool(others) and endpoint.mean_s > limits.slower * median(others)

    def _changed(self, endpoint: UpstreamEndpoint, why: str) -> None:
        if endpoint.ejection.closed:
            _logger.info("instance-readmitted", instance=endpoint.instance.id)
        else:
            self.ejected += 1
            _logger.warning("instance-ejected", instance=endpoint.instance.id, why=why)
