"""The services of the context cluster. They run only where a domain is set."""

from dataclasses import replace

from bookshelf.cluster import lock_views, session_views
from bookshelf.cluster.domain import RolloutLimits, domain_aggregate
from bookshelf.cluster.lock import LOCK
from bookshelf.cluster.rollout_queries import QUERIES
from bookshelf.cluster.rollout_views import VIEW as ROLLOUT_VIEW
from bookshelf.cluster.session import CLIENT_SESSION
from bookshelf.cluster.settings import ROLLOUTS
from bookshelf.cluster.shared_state import SHARED_STATE
from bookshelf.cqrs.service import Service


def _with_rollouts(service: Service) -> Service:
    from bookshelf.cluster.handlers import with_rollouts  # noqa: PLC0415 (see `Service.load`)

    return with_rollouts(service)


def _with_console(service: Service) -> Service:
    from bookshelf.cluster.pages.site import SITE  # noqa: PLC0415 (see `Service.load`)

    return replace(service, load=None, serves=SITE.routes, error_page=SITE.error_page)


CLUSTER_SERVICES = (
    Service(
        name="rollouts",
        summary="Changes to all nodes of a domain, or to none",
        tags=ROLLOUTS,
        port=8130,
        runs=(domain_aggregate(RolloutLimits()), ROLLOUT_VIEW),
        serves=QUERIES,
        load=_with_rollouts,
        profile="cluster",
        needs_domain=True,
    ),
    Service(
        name="sessions",
        summary="The sessions of clients, on all nodes of a domain",
        tags=("cluster", "sessions"),
        port=8131,
        runs=(CLIENT_SESSION, SHARED_STATE, session_views.VIEW),
        serves=session_views.ROUTES,
        profile="cluster",
        needs_domain=True,
        is_asked=True,
    ),
    Service(
        name="locks",
        summary="Leases with fencing tokens, and the primaries of service groups",
        tags=("cluster", "locks"),
        port=8132,
        runs=(LOCK, lock_views.VIEW),
        serves=lock_views.ROUTES,
        profile="cluster",
        needs_domain=True,
    ),
    Service(
        name="console",
        summary="The pages of clusters",
        tags=("cluster", "site"),
        port=8133,
        runs=(),
        serves=(),
        root="/cluster",
        load=_with_console,
        profile="cluster",
        needs_domain=True,
    ),
)
