"""What each request for a domain needs: the scopes read, propose and commit are apart."""

import pytest

from bookshelf.cluster.domain import RolloutLimits, domain_aggregate
from bookshelf.cluster.handlers import rollout_routes
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.cqrs.handler import INTERNAL

_ROUTES = rollout_routes(domain_aggregate(RolloutLimits()), "blue", lambda _change: ())
_OTHERS = [route for one in CLUSTER_SERVICES if one.name != "console" for route in one.loaded().serves]
#: What changes something, beside what any may read that has cluster:read.
_CHANGES = {
    "POST /cluster/rollouts": ("cluster:propose",),
    "POST /cluster/rollouts/{id}/commit": ("cluster:commit",),
    "POST /cluster/rollouts/{id}/rollback": ("cluster:commit",),
    "DELETE /cluster/sessions/{id}": ("cluster:commit",),
}


@pytest.mark.parametrize("route", [*_ROUTES, *_OTHERS], ids=lambda route: f"{route.method} {route.path}")
def test_a_request_needs_the_scope_of_what_it_does(route: object) -> None:
    method, path, requires = (getattr(route, name) for name in ("method", "path", "requires"))
    usual = ("cluster:read",) if method == "GET" else INTERNAL
    assert requires in {_CHANGES.get(f"{method} {path}", usual), INTERNAL}
