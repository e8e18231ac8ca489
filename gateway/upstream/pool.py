"""The instances that a request may go to."""

import random as machine
from collections.abc import Collection, Iterable

from bookshelf.discovery.port import Instance, Snapshot
from gateway.upstream.balancer import Balancer, Random
from gateway.upstream.endpoint import OutlierLimits, UpstreamEndpoint
from gateway.upstream.outliers import OutlierDetection
from gateway.upstream.owners import Owners
from gateway.upstream.retry_budget import RetryBudget

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
