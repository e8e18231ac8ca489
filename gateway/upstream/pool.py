"""The upstream endpoints of a service, and which one a call goes to: its owner, or the better of two."""

import random as machine
from collections.abc import Callable, Collection, Iterable, Sequence

from bookshelf.discovery.port import Instance, Snapshot
from bookshelf.runtime.api.ownership import owned, partition, partitions
from gateway.upstream.endpoint import OutlierLimits, UpstreamEndpoint
from gateway.upstream.outliers import OutlierDetection
from gateway.upstream.retry_budget import RetryBudget

_UNKNOWN = 0


class Owners:
    """The owners of one aggregate's partitions; none if instances disagree on how many there are."""

    __slots__ = ("_by_partition", "_count")

    def __init__(self, aggregate: str, endpoints: Iterable[UpstreamEndpoint]) -> None:
        said = {one: partitions(one.instance.meta, aggregate) for one in endpoints}
        counts = {count for count in said.values() if count}
        self._count = counts.pop() if len(counts) == 1 else _UNKNOWN
        self._by_partition = {number: one for one in said for number in owned(one.instance.meta, aggregate)}

    def of(self, subject: str) -> UpstreamEndpoint | None:
        """Return the owner of an id's partition, None if it is not known."""
        if self._count == _UNKNOWN:
            return None
        return self._by_partition.get(partition(subject, self._count))


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


#: An instance is the same as long as it is found under the same name at the same place.
_Place = tuple[str, str, int]


class Endpoints:
    """What is known of each instance, for as long as it is ready: every pool that has it shares it."""

    def __init__(self, tolerance: OutlierLimits) -> None:
        self.tolerance = tolerance
        self._known: dict[_Place, UpstreamEndpoint] = {}

    def become(self, instances: Iterable[Instance]) -> None:
        """Take in who is ready now; whoever has gone is forgotten."""
        self._known = {_place(instance): self._one(instance) for instance in instances}

    def of(self, tags: Iterable[str], service: str) -> tuple[UpstreamEndpoint, ...]:
        """Return those that have all these tags, of any service or of one."""
        wanted = frozenset(tags)
        return tuple(
            one
            for one in self._known.values()
            if wanted.issubset(one.instance.tags) and (one.instance.service == service or not service)
        )

    def all(self) -> Collection[UpstreamEndpoint]:
        """Return everyone."""
        return self._known.values()

    def _one(self, instance: Instance) -> UpstreamEndpoint:
        one = self._known.get(_place(instance)) or UpstreamEndpoint(instance, self.tolerance)
        one.instance = instance  # what it owns may have changed
        return one


class Pool:
    """The ready instances that have all of some tags, and what may be spent on them."""

    __slots__ = ("_balancer", "_owners", "budget", "endpoints", "name", "outliers")

    def __init__(self, name: str, balancer: Balancer, tolerance: OutlierLimits) -> None:
        self.name = name
        self.endpoints: tuple[UpstreamEndpoint, ...] = ()
        self.budget = RetryBudget()
        self.outliers = OutlierDetection(tolerance)
        self._balancer = balancer
        self._owners: dict[str, Owners] = {}

    def become(self, endpoints: tuple[UpstreamEndpoint, ...]) -> None:
        """Take in who is ready now."""
        self.endpoints = endpoints
        self._owners = {}

    def owner(self, aggregate: str, subject: str) -> UpstreamEndpoint | None:
        """Return the owner of the partition that an aggregate's id is in; None if that is not known."""
        owners = self._owners.get(aggregate)
        if owners is None:
            owners = self._owners[aggregate] = Owners(aggregate, self.endpoints)
        return owners.of(subject)

    def choose(
        self, now: float, tried: Collection[UpstreamEndpoint] = (), first: UpstreamEndpoint | None = None
    ) -> UpstreamEndpoint | None:
        """Return who is asked next; None if no one may be."""
        return self._balancer.choose(self.endpoints, now, tried, first)


class Pools:
    """The pool of each set of tags. It stays, with all that is known, whatever becomes of the routes."""

    def __init__(self, tolerance: OutlierLimits | None = None, random: Random = machine.random) -> None:
        self._endpoints = Endpoints(tolerance or OutlierLimits())
        self._balancer = Balancer(random)
        self._pools: dict[tuple[tuple[str, ...], str], Pool] = {}

    def of(self, tags: tuple[str, ...], service: str = "") -> Pool:
        """Return the pool of these tags, of any service or of one. Raises ValueError for neither."""
        if not tags and not service:
            raise ValueError("name a tag or a service: else it is everyone")
        key = tags, service
        pool = self._pools.get(key)
        if pool is None:
            name = service or ", ".join(tags)
            pool = self._pools[key] = Pool(name, self._balancer, self._endpoints.tolerance)
            pool.become(self._endpoints.of(*key))
        return pool

    def all(self) -> Collection[Pool]:
        """Return every pool."""
        return self._pools.values()

    def instances(self) -> Collection[UpstreamEndpoint]:
        """Return everyone who is ready."""
        return self._endpoints.all()

    def become(self, snapshot: Snapshot) -> None:
        """Take in who is ready now."""
        self._endpoints.become(snapshot.instances)
        for key, pool in self._pools.items():
            pool.become(self._endpoints.of(*key))


def _place(instance: Instance) -> _Place:
    return instance.id, instance.address, instance.port
