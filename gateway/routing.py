"""From a request's method and raw path to the instances that may answer it."""

from collections.abc import Iterable

import structlog

from bookshelf.discovery.port import Instance, Snapshot
from bookshelf.runtime.http.router import Router
from gateway.document import Document

_logger = structlog.get_logger(__name__)


class Pool:
    """The ready instances that have all of some tags, taken in turn."""

    __slots__ = ("_instances", "_turn", "tags")

    def __init__(self, tags: tuple[str, ...]) -> None:
        self.tags = tags
        self._instances: tuple[Instance, ...] = ()
        self._turn = 0

    def become(self, snapshot: Snapshot) -> None:
        """Take in who is ready now."""
        self._instances = snapshot.having(self.tags)

    def in_turn(self) -> tuple[Instance, ...]:
        """Return all of them, beginning with the one whose turn it is; none, if none is ready."""
        instances = self._instances
        if len(instances) < 2:  # noqa: PLR2004 (one has no turns)
            return instances
        self._turn = at = (self._turn + 1) % len(instances)
        return instances[at:] + instances[:at]


class Pools:
    """The pool of each set of tags. It stays, and its turn with it, whatever becomes of the routes."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, ...], Pool] = {}
        self._snapshot = Snapshot()

    def of(self, tags: tuple[str, ...]) -> Pool:
        """Return the pool of these tags."""
        pool = self._pools.get(tags)
        if pool is None:
            pool = self._pools[tags] = Pool(tags)
            pool.become(self._snapshot)
        return pool

    def become(self, snapshot: Snapshot) -> None:
        """Take in who is ready now."""
        self._snapshot = snapshot
        for pool in self._pools.values():
            pool.become(snapshot)


class Route:
    """Where a method and a path lead. `template` has the gateway's prefix; metrics name the route by it."""

    __slots__ = ("pool", "template")

    def __init__(self, template: str, pool: Pool) -> None:
        self.template = template
        self.pool = pool


def routes(documents: Iterable[Document], pools: Pools, prefix: str) -> Router[Route]:
    """Return the routes of these documents. One that two services have is the first one's, and is logged."""
    router: Router[Route] = Router()
    owners: dict[tuple[str, str], str] = {}
    for document in documents:
        service = document.origin.service
        for key in document.routes():
            owner = owners.setdefault(key, service)
            if owner != service:
                _logger.warning("route served twice", method=key[0], path=key[1], by=owner, not_by=service)
            else:
                router.add(*key, Route(prefix + key[1], pools.of(document.origin.tags)))
    return router
