"""The upstream endpoints of a service, and which one a call goes to: its owner, or the better of two.

Outlier detection ejects an endpoint that fails or is far slower than the others, until a probe succeeds. An
ejection is a second circuit breaker, and the request that its half-open state lets through is the probe.
Unlike the first one it is ignored when all endpoints are ejected: a bad response is better than none.
The retry budget limits retries to a share of the requests, so that they cannot overload a slow service. Time
comes with each call, in seconds of any one clock.
"""

import random as machine
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import structlog

from bookshelf.discovery.port import Instance, Snapshot
from bookshelf.runtime.api.ownership import owned, partition, partitions
from gateway.upstream.endpoint import OutlierLimits, UpstreamEndpoint
from gateway.upstream.revisions import ByLog, Revisions
from gateway.upstream.waits import Absence


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryShare:
    """The size of a budget: `ratio` of the requests of the last `window_s` seconds, plus `floor`.

    The floor lets a service with few requests have retries too.
    """

    ratio: float = 0.2
    floor: int = 10
    window_s: int = 10


class RetryBudget:
    """Counts requests and retries of a service by second, in a ring buffer as long as the window."""

    __slots__ = (
        *("_asked", "_asked_by_second", "_second", "_share", "_spent", "_spent_by_second"),
        *("refused", "spent"),
    )

    def __init__(self, share: RetryShare | None = None) -> None:
        self._share = share or RetryShare()
        self._asked_by_second = [0] * self._share.window_s
        self._spent_by_second = [0] * self._share.window_s
        self._asked = 0
        self._spent = 0
        self._second = 0
        #: Retries since the start, and retries that were refused for lack of budget.
        self.spent = 0
        self.refused = 0

    def asked(self, now: float) -> None:
        """Count the first attempt of a request."""
        if int(now) != self._second:
            self._move(int(now))
        self._asked += 1
        self._asked_by_second[self._second % self._share.window_s] += 1

    def spend(self, now: float) -> bool:
        """Take one retry out of the budget; return False if none is left."""
        if int(now) != self._second:
            self._move(int(now))
        if self._spent + 1 > self._share.floor + self._share.ratio * self._asked:
            self.refused += 1
            return False
        self.spent += 1
        self._spent += 1
        self._spent_by_second[self._second % self._share.window_s] += 1
        return True

    def _move(self, second: int) -> None:
        """Advance the window to a second, and remove the counts of the seconds before it."""
        window = self._share.window_s
        for passed in range(self._second + 1, min(second, self._second + window) + 1):
            place = passed % window
            self._asked -= self._asked_by_second[place]
            self._spent -= self._spent_by_second[place]
            self._asked_by_second[place] = self._spent_by_second[place] = 0
        self._second = max(second, self._second)


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


_UNKNOWN = 0


class Owners:
    """Maps the partitions of one aggregate to their owners; empty if instances disagree on their number."""

    __slots__ = ("_by_partition", "_count")

    def __init__(self, aggregate: str, endpoints: Iterable[UpstreamEndpoint]) -> None:
        declared = {endpoint: partitions(endpoint.instance.meta, aggregate) for endpoint in endpoints}
        counts = {count for count in declared.values() if count}
        self._count = counts.pop() if len(counts) == 1 else _UNKNOWN
        self._by_partition = {
            number: endpoint for endpoint in declared for number in owned(endpoint.instance.meta, aggregate)
        }

    def of(self, subject: str) -> UpstreamEndpoint | None:
        """Return the owner of the partition that an id belongs to; None if it is unknown."""
        if self._count == _UNKNOWN:
            return None
        return self._by_partition.get(partition(subject, self._count))


#: Returns a number from 0 up to, and without, 1.
Random = Callable[[], float]


class Balancer:
    """Chooses an endpoint: the less busy of two random ones.

    Ejected endpoints are used only when all are ejected (panic), those with an open breaker never.
    """

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
        """Return the endpoint to call, or None. `first` is preferred if it is healthy and untried."""
        if first is not None and first.is_healthy and first not in tried:
            return first
        if not tried:
            endpoint = self._of_two(endpoints)
            if endpoint is not None and endpoint.is_healthy:  # the common case, without the filters below
                return endpoint
        return self._of_two(_allowed(endpoints, now, tried))

    def _of_two(self, endpoints: Sequence[UpstreamEndpoint]) -> UpstreamEndpoint | None:
        count = len(endpoints)
        if count < 2:  # noqa: PLR2004 (one endpoint is no choice)
            return endpoints[0] if endpoints else None
        at = int(self._random() * count)
        other = int(self._random() * (count - 1))
        one, two = endpoints[at], endpoints[other + (other >= at)]
        return two if two.outstanding < one.outstanding else one


def _allowed(
    endpoints: Sequence[UpstreamEndpoint], now: float, tried: Collection[UpstreamEndpoint]
) -> Sequence[UpstreamEndpoint]:
    allowed = [endpoint for endpoint in endpoints if endpoint not in tried and endpoint.breaker.allows(now)]
    return [endpoint for endpoint in allowed if endpoint.ejection.allows(now)] or allowed


#: What identifies an instance between two snapshots: id, address and port.
_Place = tuple[str, str, int]


class Endpoints:
    """The endpoints of all ready instances, with their statistics; pools share them."""

    def __init__(self, limits: OutlierLimits) -> None:
        self.limits = limits
        self.revisions = Revisions()
        self._known: dict[_Place, UpstreamEndpoint] = {}

    def update(self, instances: Iterable[Instance]) -> None:
        """Replace the endpoints by those of `instances`; one that was there before keeps its statistics."""
        instances = tuple(instances)
        self.revisions.update(instances)
        self._known = {_place(instance): self._one(instance) for instance in instances}

    def of(self, tags: Iterable[str], service: str, ours: bool) -> tuple[UpstreamEndpoint, ...]:  # noqa: FBT001 (a pool's key)
        """Return the endpoints that have all these tags, of any service or of `service`, if not empty.

        With `ours`, those of foreign services are left out.
        """
        wanted = frozenset(tags)
        return tuple(
            endpoint
            for endpoint in self._known.values()
            if wanted.issubset(endpoint.instance.tags)
            and (endpoint.instance.service == service or not service)
            and not (ours and endpoint.instance.foreign)
        )

    def all(self) -> Collection[UpstreamEndpoint]:
        """Return all endpoints."""
        return self._known.values()

    def _one(self, instance: Instance) -> UpstreamEndpoint:
        endpoint = self._known.get(_place(instance)) or UpstreamEndpoint(instance, self.limits)
        endpoint.instance = instance  # its metadata names the partitions it owns, which may have changed
        endpoint.revision = self.revisions.of(instance)
        return endpoint


class Pool:
    """The ready endpoints that have all of some tags, with their retry budget and outlier detection."""

    __slots__ = ("_balancer", "_limits", "_owners", "absence", "budget", "endpoints", "name", "outliers")

    def __init__(self, name: str, balancer: Balancer, limits: OutlierLimits) -> None:
        self.name = name
        self.endpoints: tuple[UpstreamEndpoint, ...] = ()
        self.budget = RetryBudget()
        self.absence = Absence()
        self.outliers = OutlierDetection(limits)
        self._limits = limits
        self._balancer = balancer
        self._owners: dict[str, Owners] = {}

    def update(self, endpoints: tuple[UpstreamEndpoint, ...]) -> None:
        """Replace the endpoints by those that are ready now."""
        self.endpoints = endpoints
        self._owners = {}

    def only(self, *endpoints: UpstreamEndpoint) -> "Pool":
        """Return a pool of some of these endpoints, with the same retry budget and outlier detection.

        No request is held for it: what chose these endpoints chooses others when they are away.
        """
        narrow = Pool(self.name, self._balancer, self._limits)
        narrow.budget, narrow.outliers = self.budget, self.outliers
        narrow.update(endpoints)
        return narrow

    def owner(self, aggregate: str, subject: str) -> UpstreamEndpoint | None:
        """Return the owner of the partition that an aggregate's id belongs to; None if it is unknown."""
        owners = self._owners.get(aggregate)
        if owners is None:
            owners = self._owners[aggregate] = Owners(aggregate, self.endpoints)
        return owners.of(subject)

    def choose(
        self, now: float, tried: Collection[UpstreamEndpoint] = (), first: UpstreamEndpoint | None = None
    ) -> UpstreamEndpoint | None:
        """Return the endpoint to call next, or None. `tried` are left out, `first` is preferred."""
        return self._balancer.choose(self.endpoints, now, tried, first)


class Pools:
    """The pools by tags and service. A pool and its statistics outlast the routes that use it."""

    def __init__(self, limits: OutlierLimits | None = None, random: Random = machine.random) -> None:
        self._endpoints = Endpoints(limits or OutlierLimits())
        self._balancer = Balancer(random)
        self._pools: dict[tuple[tuple[str, ...], str, bool], Pool] = {}
        #: Called after each update.
        self.listeners: list[Callable[[], None]] = []

    def of(self, tags: tuple[str, ...], service: str = "", *, ours: bool = False) -> Pool:
        """Return the pool of these tags, of any service or of one; `ours`: no foreign one.

        Raises ValueError for neither tags nor service.
        """
        if not tags and not service:
            raise ValueError("name a tag or a service: a pool without both would have every instance")
        key = tags, service, ours
        pool = self._pools.get(key)
        if pool is None:
            name = service or ", ".join(tags)
            pool = self._pools[key] = Pool(name, self._balancer, self._endpoints.limits)
            pool.update(self._endpoints.of(*key))
        return pool

    def follow(self, domain: str, by_log: ByLog) -> None:
        """Ask no instance of a domain that is at an earlier revision than its log has."""
        self._endpoints.revisions.follow(domain, by_log)
        self._endpoints.update([endpoint.instance for endpoint in self._endpoints.all()])

    def all(self) -> Collection[Pool]:
        """Return every pool."""
        return self._pools.values()

    def instances(self) -> Collection[UpstreamEndpoint]:
        """Return the endpoints of all ready instances."""
        return self._endpoints.all()

    def update(self, snapshot: Snapshot) -> None:
        """Update all pools to a snapshot of the ready instances."""
        self._endpoints.update(snapshot.instances)
        for key, pool in self._pools.items():
            pool.update(self._endpoints.of(*key))
        for listener in self.listeners:
            listener()


def _place(instance: Instance) -> _Place:
    return instance.id, instance.address, instance.port
