"""One request to an upstream service: its timeouts, and which endpoint it goes to next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from bookshelf.http.message import BytesBody, Headers, Request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.header_fields import KEY, TIME_LEFT, TRY, outcome_unknown
from bookshelf.runtime.clock import Ids
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool
from gateway.upstream.route import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimeouts:
    """How long to wait, in seconds.

    `answer_s`: for an answer to begin, all tries together, if the route does not say otherwise. `try_s`: for
    one try, as long as another can follow. `piece_s`: for each piece of an answer's body.
    `again_s`: before a request that a service could not take just now is sent again, once for each;
    `in_all_s`: after which it is not: as long as a partition may take to move, and no longer than a query
    waits for its view, which is waited for once. `hedge_s`: after which a query is put to a second
    instance as well; 0 for never.
    """

    answer_s: float = 30.0
    try_s: float = 10.0
    piece_s: float = 30.0
    again_s: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    in_all_s: float = 2.0
    hedge_s: float = 0.0


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
    owner: UpstreamEndpoint | None = None
    tries: int = 0
    lost: bool = False
    tried: list[UpstreamEndpoint] = field(default_factory=list)

    def choose(self, now: float) -> UpstreamEndpoint | None:
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


class CallFactory:
    """Gives commands that have no Idempotency-Key one, where the service knows what that is."""

    def __init__(self, patience: CallTimeouts, ids: Ids, clock: Clock) -> None:
        self._patience = patience
        self._ids = ids
        self._clock = clock

    def make(self, request: Request, route: Route, path: Mapping[str, str]) -> Call:
        """Return the call. The request's headers are the gateway's own to change."""
        deadline_s = route.deadline_s or self._patience.answer_s
        repeatable = self._repeatable(request, route)
        return Call(
            request=request,
            pool=route.pool,
            end=self._clock() + deadline_s,
            again=repeatable or (KEY in request.headers and isinstance(request.body, BytesBody)),
            repeatable=repeatable,
            owner=route.owner(request, path),
        )

    def _repeatable(self, request: Request, route: Route) -> bool:
        """Whether it may be sent twice: nothing is done twice by it, and its body is still here."""
        if not isinstance(request.body, BytesBody):
            return False
        if request.method in READS:
            return True
        if route.keyed and KEY not in request.headers:
            self._name(request.headers)
        return route.keyed

    def _name(self, headers: Headers) -> None:
        assert not isinstance(headers, CIMultiDictProxy)  # noqa: S101 (the gateway has made them)
        headers[KEY] = self._ids.new_command()
        headers[TRY] = "1"
