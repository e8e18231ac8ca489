"""A route: which pool answers a method and path, and how its requests are forwarded."""

from collections.abc import Mapping
from dataclasses import dataclass

from bookshelf.http.message import Request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.ownership import created
from gateway.auth.verifier import Requirement
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool


@dataclass(slots=True, kw_only=True)
class Route:
    """One entry of the route table. `template` includes the gateway's prefix; metrics name the route by it.

    `service`: the service that declares the route. `deadline_s`: None for the gateway's default. `keyed`: the
    service recognises repeated commands by their Idempotency-Key. `aggregate`: the owner of this aggregate's
    partition is tried first; the aggregate's id is the path's {id}, or, with `creates`, that of the command.
    `requirement`: what a caller's token must allow; None for no token.
    """

    template: str
    pool: Pool
    service: str = ""
    deadline_s: float | None = None
    keyed: bool = False
    aggregate: str = ""
    creates: bool = False
    requirement: Requirement | None = None

    def owner(self, request: Request, path: Mapping[str, str]) -> UpstreamEndpoint | None:
        """Return the owner of the request's partition; None if unknown or if there is only one endpoint."""
        if not self.aggregate or len(self.pool.endpoints) < 2:  # noqa: PLR2004 (one endpoint is no choice)
            return None
        subject = _created(request) if self.creates else path.get("id")
        return None if subject is None else self.pool.owner(self.aggregate, subject)


def _created(request: Request) -> str | None:
    try:
        key = header_fields.key(request.headers)
    except Problem:  # the service refuses the key, with its reason
        return None
    return created(key) if key else None
