"""Where a method and a path lead, and how a request there is treated."""

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
    """One line of the table. `template` has the gateway's prefix; metrics name the route by it.

    `service`: whose it is. `deadline_s`: None for the gateway's own. `keyed`: a command that comes twice
    with one Idempotency-Key is done once. `aggregate`: whose partition's owner is asked first, of the path's
    {id}, or of what the command creates. `requirement`: what is asked of who calls it.
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
        """Return the owner of the request's partition, if there is a choice and it is known."""
        if not self.aggregate or len(self.pool.endpoints) < 2:  # noqa: PLR2004 (of one there is no choice)
            return None
        subject = _created(request) if self.creates else path.get("id")
        return None if subject is None else self.pool.owner(self.aggregate, subject)


def _created(request: Request) -> str | None:
    try:
        key = header_fields.key(request.headers)
    except Problem:  # the service says what is wrong with it
        return None
    return created(key) if key else None
