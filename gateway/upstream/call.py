"""One request to an upstream service: its route, its timeouts, and which endpoint it goes to next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from multidict import CIMultiDict

from bookshelf.http.message import BytesBody, Request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.header_fields import KEY, REVISION, TIME_LEFT, TRY, outcome_unknown
from bookshelf.runtime.api.ownership import command_id, created
from bookshelf.runtime.clock import Ids
from gateway.auth import Requirement
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool


@dataclass(slots=True, kw_only=True)
class Route:
    """One entry of the route table. `template` includes the gateway's prefix; metrics name the route by it.

    `service`: the service that declares the route. `deadline_s`: None for the gateway's default. `keyed`: the
    service recognises repeated commands by their Idempotency-Key. `aggregate`: the owner of this aggregate's
    partition is tried first; the aggregate's id is the path's {id}, or, with `creates`, that of the command.
    `requirement`: what a caller's token must allow; None for no token. `foreign`: the service is foreign.
    """

    template: str
    pool: Pool
    service: str = ""
    deadline_s: float | None = None
    keyed: bool = False
    aggregate: str = ""
    creates: bool = False
    requirement: Requirement | None = None
    foreign: bool = False

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
    return created(command_id(request.actor or "reader", key)) if key else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimeouts:
    """The timeouts of a call, in seconds.

    `answer_s`: until a response begins, over all attempts; a route may have its own. `try_s`: for one
    attempt, as long as another one can follow. `piece_s`: for each piece of a response body.
    `again_s`: the pauses before the retries of a 503 with Retry-After, one for each retry.
    `in_all_s`: no such retry starts later than this, counted from the beginning of a query and from the first
    503 of a command. It is no longer than a query waits for its view, so that this wait happens once; a
    service holds a command for as long as its partition has no owner.
    `away_s`: a request is held for so long while a service that has answered before has no instance that
    accepts connections; 0 for never. `away_pause_s`: the pause between two looks at such a service.
    `hedge_s`: after it a query is sent to a second instance as well; 0 for never.
    """

    answer_s: float = 30.0
    try_s: float = 10.0
    piece_s: float = 30.0
    again_s: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    in_all_s: float = 2.0
    away_s: float = 20.0
    away_pause_s: float = 0.25
    hedge_s: float = 0.0


READS = frozenset({"GET", "HEAD"})
#: The media type of a stream of events: its client connects again by itself.
EVENTS = "text/event-stream"
#: Returns seconds; all times of a call come from the same clock.
Clock = Callable[[], float]


@dataclass(slots=True)
class Call:
    """The state of one request over all its attempts.

    `find_owner` returns the endpoint that is tried first, if one is known; `owner` is what it returned last.
    `end`: when the time for all attempts is over. `again`: the request may be sent again after a response
    that reports that nothing was done. `repeatable`: it may be sent again even if it may have been carried
    out, because it is then recognised as a repetition. `tries`: how many attempts were made. `lost`: one of
    them got no response. `lost_onward`: an instance that had sent it on to the owner got none. `tried`: the
    endpoints of the attempts of this round. `held`: it has waited for a service that was away.
    """

    request: Request
    pool: Pool
    end: float
    again: bool
    repeatable: bool
    find_owner: Callable[[], UpstreamEndpoint | None]
    owner: UpstreamEndpoint | None
    tries: int = 0
    lost: bool = False
    lost_onward: bool = False
    held: bool = False
    tried: list[UpstreamEndpoint] = field(default_factory=list)

    def choose(self, now: float) -> UpstreamEndpoint | None:
        """Return the endpoint for the next attempt; None if there is none that may be called."""
        return self.pool.choose(now, self.tried, self.owner)

    def begin_round(self) -> None:
        """Allow all endpoints again, after a pause in which instances and owners may have changed."""
        self.tried.clear()
        self.owner = self.find_owner()

    @property
    def may_be_held(self) -> bool:
        """True if the request can wait for an instance: its body is in memory, and it opens no stream."""
        return isinstance(self.request.body, BytesBody) and EVENTS not in self.request.headers.get(
            "Accept", ""
        )

    def one_more(self, endpoint: UpstreamEndpoint, left_s: float) -> Request:
        """Return the request of an attempt at an endpoint; headers give the time left and its number."""
        self.tries += 1
        headers = self.request.headers
        named = headers if self.tries == 1 else CIMultiDict(headers)  # another attempt may still be under way
        assert isinstance(named, CIMultiDict)  # noqa: S101 (the gateway made the headers)
        named[TIME_LEFT] = f"{left_s:.3f}"
        if revision := endpoint.revision.newest:
            named[REVISION] = str(revision)
        elif self.tries > 1:
            named.popall(REVISION, None)  # the one before may have been of another domain
        if TRY in named:
            named[TRY] = str(self.tries)
        if named is headers:
            return self.request
        return msgspec.structs.replace(self.request, headers=named)

    def is_onward(self, status: int) -> bool:
        """Return True if an instance answers that it sent a command on to its owner, and got no answer."""
        return status == HTTPStatus.GATEWAY_TIMEOUT and self.request.method not in READS

    @property
    def is_lost(self) -> bool:
        """True if an attempt may have been carried out, and its answer was lost."""
        return self.lost or self.lost_onward

    def is_unknown(self, status: int) -> bool:
        """Return True if an answer with this status leaves open whether the command was carried out.

        After a lost attempt, a refusal by another instance proves nothing about the lost one. A service's 504
        does not name the key that the gateway has generated.
        """
        if self.request.method in READS:
            return False
        if self.is_lost:
            return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return self.repeatable and status == HTTPStatus.GATEWAY_TIMEOUT


def no_answer(request: Request) -> Problem:
    """Return the problem for a request without a response: whether it was carried out is unknown."""
    if request.method in READS:
        return Problem("gateway-timeout", "the service did not answer; try again")
    return outcome_unknown(request.headers)


class CallFactory:
    """Makes calls of requests; a command without an Idempotency-Key gets one if its route accepts keys."""

    def __init__(self, timeouts: CallTimeouts, ids: Ids, clock: Clock) -> None:
        self.timeouts = timeouts
        self._ids = ids
        self._clock = clock

    def make(self, request: Request, route: Route, path: Mapping[str, str]) -> Call:
        """Return the call of a request. The request's headers are the gateway's own copy, and are changed."""
        deadline_s = route.deadline_s or self.timeouts.answer_s
        repeatable = self._repeatable(request, route)

        def find_owner() -> UpstreamEndpoint | None:
            return route.owner(request, path)

        return Call(
            request=request,
            pool=route.pool,
            end=self._clock() + deadline_s,
            again=repeatable or (KEY in request.headers and isinstance(request.body, BytesBody)),
            repeatable=repeatable,
            find_owner=find_owner,
            owner=find_owner(),
        )

    def _repeatable(self, request: Request, route: Route) -> bool:
        """Return True if the request may be sent twice: it takes effect once, and its body is in memory."""
        if not isinstance(request.body, BytesBody):
            return False
        if request.method in READS:
            return True
        if route.keyed and KEY not in request.headers:
            assert isinstance(request.headers, CIMultiDict)  # noqa: S101 (the gateway made the headers)
            request.headers[KEY] = self._ids.new_command()
            request.headers[TRY] = "1"
        return route.keyed
