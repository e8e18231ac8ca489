"""One request on its way, through all its tries: how long it may take, whether it may be sent again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from multidict import CIMultiDict

from bookshelf.http.message import Request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.header_fields import TIME_LEFT, TRY, outcome_unknown
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Pool

READS = frozenset({"GET", "HEAD"})
#: Seconds, of any one clock.
Clock = Callable[[], float]


@dataclass(slots=True)
class Call:
    """What is known of a request between its tries. `owner`: who is asked first; `end`: when time is over.

    `again`: it may be sent again if an instance says that it did nothing; `repeatable`: even if it may have
    been carried out, for then it is recognised.
    """

    request: Request
    pool: Pool
    end: float
    again: bool
    repeatable: bool
    owner: Endpoint | None = None
    tries: int = 0
    lost: bool = False
    tried: list[Endpoint] = field(default_factory=list)

    def choose(self, now: float) -> Endpoint | None:
        """Return who is asked next; None if no one may be."""
        return self.pool.choose(now, self.tried, self.owner)

    def one_more(self, left_s: float) -> Request:
        """Return the request for one more try: it says how long is waited for it, and which try it is."""
        self.tries += 1
        headers = self.request.headers
        named = headers if self.tries == 1 else CIMultiDict(headers)  # another try may still be under way
        assert isinstance(named, CIMultiDict)  # noqa: S101 (the gateway has made them)
        named[TIME_LEFT] = f"{left_s:.3f}"
        if TRY in named:
            named[TRY] = str(self.tries)
        if named is headers:
            return self.request
        return msgspec.structs.replace(self.request, headers=named)

    def is_unknown(self, status: int) -> bool:
        """Return True if an answer with this status leaves open whether the command was carried out.

        After a lost attempt, an instance that answers "not now" speaks of its own attempt only. A service's
        504 does not name the key that the gateway has made.
        """
        if self.request.method in READS:
            return False
        if self.lost:
            return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return self.repeatable and status == HTTPStatus.GATEWAY_TIMEOUT


def no_answer(request: Request) -> Problem:
    """Say that whether anything was done is not known."""
    if request.method in READS:
        return Problem("gateway-timeout", "the service did not answer; try again")
    return outcome_unknown(request.headers)
