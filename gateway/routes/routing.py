"""From a request's method and raw path to the instances that may answer it."""

from collections.abc import Iterable

import structlog

from bookshelf.runtime.http.router import Router
from gateway.routes.document import Document
from gateway.upstream.pool import Pool, Pools

_logger = structlog.get_logger(__name__)


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
