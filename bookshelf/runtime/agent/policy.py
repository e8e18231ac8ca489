"""The item `policy/SERVICE`: limits, scopes and state of the routes of a service, checked at each request."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from multidict import CIMultiDict

from bookshelf.cqrs.item import ItemChange, ItemProblem
from bookshelf.http.message import Request, Response, TooLarge
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.item import AppliedItem, Undo
from bookshelf.runtime.agent.levels import LogLevels
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.endpoint import Endpoint
from bookshelf.runtime.api.handlers import LimitedBody
from bookshelf.runtime.api.identity import Callers, admit
from bookshelf.runtime.logs import Level

_READS = frozenset({"GET", "HEAD"})
#: Seconds in `Retry-After` of what a state refuses, unless the policy has others.
_RETRY_AFTER_S = 60
_OK = 200


class RouteLimits(Protocol):
    """What a policy sets for one route; see `RoutePolicy`. None: nothing."""

    @property
    def deadline_s(self) -> float | None:
        """Seconds until an answer must begin."""

    @property
    def per_second(self) -> tuple[int, float] | None:
        """Requests, and the seconds that they are counted in."""

    @property
    def body_bytes(self) -> int | None:
        """The most bytes of a request."""

    @property
    def requires(self) -> tuple[str, ...] | None:
        """Further scopes that a caller must have."""

    @property
    def cache_s(self) -> int | None:
        """Seconds for which a client may keep the answer to a GET."""

    @property
    def state(self) -> str | None:
        """`open`, `read-only` or `closed`."""

    @property
    def message(self) -> str | None:
        """The text of what is refused by the state."""

    @property
    def retry_after_s(self) -> int | None:
        """The seconds after which a client may try again."""


class PolicyOfService(Protocol):
    """What a policy sets for a service."""

    @property
    def log_level(self) -> Level | None:
        """The log level of the processes that run it."""

    def of(self, route: str) -> RouteLimits:
        """Return what it sets for a route like `POST /books`."""


class RequestBudget:
    """Admits so many requests in a time, evenly refilled (a token bucket)."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._per_s = count / seconds
        self._left = float(count)
        self._at = asyncio.get_running_loop().time()

    def take(self) -> None:
        """Count a request. Raises `Problem` too-many if none is left."""
        now = asyncio.get_running_loop().time()
        self._left = min(self._count, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            wait_s = max(1, round((1 - self._left) / self._per_s + 0.5))
            msg = f"the policy of this service admits fewer requests; try again in {wait_s} s"
            raise Problem("too-many", msg, Retry_After=str(wait_s))
        self._left -= 1


class _RouteGate:
    """The policy of one route, with what it counts."""

    def __init__(self, limits: RouteLimits) -> None:
        self.limits = limits
        self.budget = None if limits.per_second is None else RequestBudget(*limits.per_second)


class PolicyGate:
    """Checks the requests to one service by its policy; without one it passes them on."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self.policy: PolicyOfService | None = None
        self._routes: dict[str, _RouteGate] = {}

    def put(self, policy: PolicyOfService | None) -> Undo:
        """Put a policy into force, or none; return what restores the former one, with its counts."""
        former, routes = self.policy, self._routes
        self.policy, self._routes = policy, {}

        def undo() -> None:
            self.policy, self._routes = former, routes

        return undo

    async def around(
        self, endpoint: Endpoint, template: str, request: Request, path: Mapping[str, str]
    ) -> Response:
        """Return the response of an endpoint, if the policy admits the request.

        Raises `Problem`, `TooLarge`, or what the endpoint raises.
        """
        policy = self.policy
        if policy is None:
            return await endpoint(request, path)
        method = "GET" if request.method == "HEAD" else request.method
        gate = self._routes.get(f"{method} {template}")
        if gate is None:
            gate = self._routes[f"{method} {template}"] = _RouteGate(policy.of(f"{method} {template}"))
        limits = gate.limits
        _check_state(request, limits)
        if limits.requires:
            admit(self._callers, request, limits.requires)
        if gate.budget is not None:
            gate.budget.take()
        _limit(request, limits)
        response = await endpoint(request, path)
        if limits.cache_s is not None and request.method in _READS and response.status == _OK:
            headers = response.headers = CIMultiDict(response.headers)  # it may have the field already
            headers["Cache-Control"] = f"private, max-age={limits.cache_s}"
        return response


def _check_state(request: Request, limits: RouteLimits) -> None:
    """Raise `Problem` if the state of the route does not admit a request."""
    if limits.state in {None, "open"} or (limits.state == "read-only" and request.method in _READS):
        return
    what = "closed" if limits.state == "closed" else "read-only"
    msg = limits.message or f"this is {what} for a while"
    raise Problem("unavailable", msg, Retry_After=str(limits.retry_after_s or _RETRY_AFTER_S))


def _limit(request: Request, limits: RouteLimits) -> None:
    """Limit the body and the time of a request. Raises `TooLarge`, `Problem`."""
    most = limits.body_bytes
    if most is not None:
        length = request.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length) > most:
            raise TooLarge(most)
        request.body = LimitedBody(request.body, most)
    if limits.deadline_s is not None:
        left_s = header_fields.time_left(request.headers, limits.deadline_s)
        headers = request.headers = CIMultiDict(request.headers)
        headers[header_fields.TIME_LEFT] = f"{left_s:.3f}"


class PolicyKind:
    """Applies policies to the services that this node runs.

    `check` returns what is wrong with the policy of a service, `read` makes one of a text that has been
    checked. `gates`: those of the services that run here, by name.
    """

    def __init__(
        self,
        check: Callable[[str, str], tuple[ItemProblem, ...]],
        read: Callable[[str], Any],
        levels: LogLevels,
        gates: Mapping[str, PolicyGate],
    ) -> None:
        self._check = check
        self._read = read
        self._levels = levels
        self._gates = gates

    def check(self, change: ItemChange) -> tuple[ItemProblem, ...]:
        """Return what is wrong with a policy."""
        return () if change.action == "remove" else self._check(change.name, change.content)

    def concerns(self, change: ItemChange) -> Collection[str] | None:
        """Return the service, if it runs here."""
        return {change.name} & self._gates.keys()

    async def load(self, change: ItemChange) -> AppliedItem:
        """Prepare a policy that has been checked."""
        policy: PolicyOfService | None = None if change.action == "remove" else self._read(change.content)
        return AppliedItem(lambda: self._apply(change.name, policy))

    def _apply(self, service: str, policy: PolicyOfService | None) -> Undo:
        gate = self._gates.get(service)
        if gate is None:
            return lambda: None
        level = self._levels.set(service, None if policy is None else policy.log_level)
        former = gate.put(policy)

        def undo() -> None:
            former()
            level()

        return undo
