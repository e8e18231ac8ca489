"""The services of the context cluster. They run only where a domain is set."""

from bookshelf.cluster import session_views
from bookshelf.cluster.lock import LOCK
from bookshelf.cluster.session import CLIENT_SESSION
from bookshelf.cluster.shared_state import SHARED_STATE
from bookshelf.cqrs.service import Service

CLUSTER_SERVICES = (
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
        runs=(LOCK,),
        serves=(),
        profile="cluster",
        needs_domain=True,
        is_asked=True,
    ),
)
