"""Finds who answers badly, or far slower than its peers, and has it ejected until one probe goes well.

An ejection is a breaker of its own kind: what goes to a half-open one is the probe. Unlike a breaker it is
not respected when everyone is ejected (balancer.py): a bad answer is better than none.
"""

from collections.abc import Iterable
from statistics import median

import structlog

from gateway.upstream.endpoint import OutlierLimits, UpstreamEndpoint

_logger = structlog.get_logger(__name__)


class OutlierDetection:
    """Judges the endpoints of one pool, each by its own answers and by what the others take."""

    __slots__ = ("_tolerance", "ejected")

    def __init__(self, tolerance: OutlierLimits) -> None:
        self._tolerance = tolerance
        #: Ejections since the beginning.
        self.ejected = 0

    def answered(
        self, one: UpstreamEndpoint, now: float, *, bad: bool, trial: bool, peers: Iterable[UpstreamEndpoint]
    ) -> None:
        """Judge an endpoint that has answered; what it took is noted already."""
        slow = self._slow(one, trial=trial, peers=peers)
        was = one.ejection.closed
        if bad or (slow and trial):
            one.ejection.failed(now, trial=trial)
        elif slow and was:
            one.ejection.trip(now)
        else:
            one.ejection.succeeded(trial=trial)
        if trial or one.ejection.closed is not was:
            one.begin_anew()
        if one.ejection.closed is not was:
            self._changed(one, why="slow" if slow else "bad answers")

    def _slow(self, one: UpstreamEndpoint, *, trial: bool, peers: Iterable[UpstreamEndpoint]) -> bool:
        limits = self._tolerance
        if one.mean_s < limits.slow_s or (one.samples < limits.samples and not trial):
            return False
        others = [
            peer.mean_s for peer in peers if peer is not one and peer.well and peer.samples >= limits.samples
        ]
        return bool(others) and one.mean_s > limits.slower * median(others)

    def _changed(self, one: UpstreamEndpoint, why: str) -> None:
        if one.ejection.closed:
            _logger.info("instance-readmitted", instance=one.instance.id)
        else:
            self.ejected += 1
            _logger.warning("instance-ejected", instance=one.instance.id, why=why)
