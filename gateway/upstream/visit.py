"""One request at one instance: counted while it lasts, and how it ended is said once."""

from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Pool


class Visit:
    """Told how it went by `answered`, `failed` or `left`; then ended, if nothing more comes, by `end`."""

    __slots__ = ("_began", "_ended", "_endpoint", "_pool", "_probe", "_trial")

    def __init__(self, endpoint: Endpoint, pool: Pool, now: float) -> None:
        self._endpoint = endpoint
        self._pool = pool
        self._began = now
        self._trial = endpoint.breaker.enter(now)
        self._probe = endpoint.ejection.enter(now)
        self._ended = False
        endpoint.outstanding += 1

    def answered(self, now: float, *, bad: bool) -> None:
        """Note that an answer has begun."""
        one = self._endpoint
        one.breaker.succeeded(trial=self._trial)
        one.took(now - self._began)
        peers = self._pool.endpoints
        self._pool.outliers.answered(one, now, bad=bad, trial=self._probe, peers=peers)
        self._trial = self._probe = False

    def failed(self, now: float) -> None:
        """Note that no answer came, or not all of it; and end."""
        self._endpoint.breaker.failed(now, trial=self._trial)
        self._endpoint.ejection.left(trial=self._probe)
        self._trial = self._probe = False
        self.end()

    def left(self) -> None:
        """Note that it was given up by whoever asked; and end."""
        self._endpoint.breaker.left(trial=self._trial)
        self._endpoint.ejection.left(trial=self._probe)
        self._trial = self._probe = False
        self.end()

    def end(self) -> None:
        """Count it no more."""
        if not self._ended:
            self._ended = True
            self._endpoint.outstanding -= 1
