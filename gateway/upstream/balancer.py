"""Which instance is asked: the less busy of two random ones.

Source: M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001).
"""

from collections.abc import Callable, Collection, Sequence

from gateway.upstream.endpoint import UpstreamEndpoint

#: Returns a number from 0 up to, and without, 1.
Random = Callable[[], float]


class Balancer:
    """Chooses among endpoints. Who is ejected is asked only when all are: panic. An open breaker, never."""

    __slots__ = ("_random",)

    def __init__(self, random: Random) -> None:
        self._random = random

    def choose(
        self,
        endpoints: Sequence[UpstreamEndpoint],
        now: float,
        tried: Collection[UpstreamEndpoint] = (),
        first: UpstreamEndpoint | None = None,
    ) -> UpstreamEndpoint | None:
        """Return who is asked next; None if no one may be. `first` is, if nothing speaks against it."""
        if first is not None and first.well and first not in tried:
            return first
        if not tried:
            one = self._of_two(endpoints)
            if one is not None and one.well:  # the other way is taken when something is wrong
                return one
        return self._of_two(_allowed(endpoints, now, tried))

    def _of_two(self, endpoints: Sequence[UpstreamEndpoint]) -> UpstreamEndpoint | None:
        count = len(endpoints)
        if count < 2:  # noqa: PLR2004 (of one there is no choice)
            return endpoints[0] if endpoints else None
        at = int(self._random() * count)
        other = int(self._random() * (count - 1))
        one, two = endpoints[at], endpoints[other + (other >= at)]
        return two if two.outstanding < one.outstanding else one


def _allowed(
    endpoints: Sequence[UpstreamEndpoint], now: float, tried: Collection[UpstreamEndpoint]
) -> Sequence[UpstreamEndpoint]:
    may = [one for one in endpoints if one not in tried and one.breaker.allows(now)]
    return [one for one in may if one.ejection.allows(now)] or may
