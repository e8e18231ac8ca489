"""Sends the requests of a group to its primary only; its backups are ready, and get none.

[[primary]]
group = "counters"
wait_s = 5

The primary is the process that holds the lock of the group, which the service `locks` grants. While there is
none, requests wait. Its fencing token goes with each request, so that what a former primary still does with
it is refused by fenced aggregates.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from multidict import CIMultiDict

from bookshelf.concurrency import cancel_and_wait
from bookshelf.http.message import BytesBody, Request, Response, close_body
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.header_fields import KEY, TOKEN
from bookshelf.runtime.election.candidate import DOMAIN, GROUP, HOLDER, primary_lock
from bookshelf.runtime.election.lock_service import HeldLocks
from gateway.routing.rules import BadRules, Section
from gateway.upstream.call import READS, Route
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pools
from gateway.upstream.proxy import Proxy

_TABLE = "primary"
#: Seconds that all attempts of a request may take together, if its route has no deadline.
_IN_ALL_S = 30.0


class PrimaryRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests for `group` go to its primary. `wait_s`: seconds that they wait while there is none."""

    group: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$(?!\n)")]
    wait_s: Annotated[float, Meta(ge=0, le=600)] = 5.0


class _Primary(msgspec.Struct, frozen=True):
    endpoint: UpstreamEndpoint
    token: int


class Primaries:
    """Finds the primary of a request's group, waits for it, and follows it when another takes over."""

    def __init__(self, held: HeldLocks, pools: Pools, proxy: Proxy) -> None:
        self._held = held
        self._proxy = proxy
        self._rules: Mapping[str, PrimaryRule] = {}
        #: The group of each service, which is known also while none of its instances is ready.
        self._groups: dict[str, str] = {}
        self._wanted = asyncio.Event()
        self._moved = asyncio.Event()
        pools.listeners.append(self._move)

    @property
    def section(self) -> Section:
        """The section of the rules file that sets them."""
        return Section((_TABLE,), self._take)

    def _take(self, given: Mapping[str, Any]) -> Callable[[], None]:
        rules = read_primary_rules(given)
        return lambda: self._apply(rules)

    def _apply(self, rules: tuple[PrimaryRule, ...]) -> None:
        self._rules = {rule.group: rule for rule in rules}
        if rules:
            self._wanted.set()
        self._move()

    async def run(self) -> None:
        """Follow the locks that are held, from the first rule on, until cancelled."""
        await self._wanted.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._held.run())
            tasks.create_task(self._follow())

    async def _follow(self) -> None:
        async for _ in self._held.latest.each():
            self._move()

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def send(self, request: Request, route: Route, path: Mapping[str, str]) -> Response:
        """Return the response of the primary, or of any instance where no rule is for the route.

        Raises `Problem`: unavailable if there is no primary in time, and what the proxy raises.
        """
        rule = self._rule_of(route) if self._rules else None
        if rule is None:
            return await self._proxy.send(request, route, path)
        end = self._clock() + (route.deadline_s or _IN_ALL_S)
        former: _Primary | None = None
        waited = False
        while True:
            primary = self._find(rule, route)
            if primary is None or primary == former:
                with route.pool.absence.waits.hold(self._clock, first=not waited):
                    primary = await self._ready(rule, route, former, min(end, self._clock() + rule.wait_s))
                waited = True
            try:
                answer = await self._ask(request, route, path, rule, primary)
            except Problem as fault:
                if self._clock() >= end or not _may_repeat(fault, request):
                    raise
                answer = None
            if answer is not None:
                return answer
            former = primary

    async def _ready(self, rule: PrimaryRule, route: Route, former: _Primary | None, end: float) -> _Primary:
        """Return the primary, another one than `former`, as soon as there is one. Raises `Problem`."""
        while True:
            moved = self._moved
            primary = self._find(rule, route)
            if primary is not None and primary != former:
                return primary
            try:
                async with asyncio.timeout_at(end):
                    await moved.wait()
            except TimeoutError:
                route.pool.absence.waits.refused += 1
                msg = f"the group {rule.group} has no primary now; try again in a moment"
                raise Problem("unavailable", msg) from None

    async def _ask(
        self,
        request: Request,
        route: Route,
        path: Mapping[str, str],
        rule: PrimaryRule,
        primary: _Primary,
    ) -> Response | None:
        """Return the primary's response; None if another became the primary and the request may be repeated.

        A primary that was stopped, or is cut off, keeps its connections: its response need not come.
        """
        assert isinstance(request.headers, CIMultiDict)  # noqa: S101 (the gateway made the headers)
        request.headers[TOKEN] = str(primary.token)
        narrow = replace(route, pool=route.pool.only(primary.endpoint))
        sending = asyncio.ensure_future(self._proxy.send(request, narrow, path))
        try:
            while not sending.done():
                moved = asyncio.ensure_future(self._moved.wait())
                await asyncio.wait((sending, moved), return_when=asyncio.FIRST_COMPLETED)
                moved.cancel()
                if not sending.done() and _repeatable(request) and self._other(rule, route, primary):
                    return None
            return sending.result()
        finally:
            if not sending.done():
                await _drop(sending)

    def _other(self, rule: PrimaryRule, route: Route, primary: _Primary) -> bool:
        """Return True if another process is the primary by now."""
        found = self._find(rule, route)
        return found is not None and found != primary

    def _rule_of(self, route: Route) -> PrimaryRule | None:
        for endpoint in route.pool.endpoints:
            group = _group_of(endpoint)
            if group:
                self._groups[route.service] = group
                return self._rules.get(group)
        return self._rules.get(self._groups.get(route.service, route.service))

    def _find(self, rule: PrimaryRule, route: Route) -> _Primary | None:
        for endpoint in route.pool.endpoints:
            meta = endpoint.instance.meta
            if _group_of(endpoint) != rule.group:
                continue
            held = self._held.now.get(primary_lock(meta.get(DOMAIN, ""), rule.group))
            if held is not None and held.holder == meta.get(HOLDER):
                return _Primary(endpoint, held.token)
        return None

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()


def read_primary_rules(given: Mapping[str, Any]) -> tuple[PrimaryRule, ...]:
    """Return the rules in the decoded content of a file. Raises `BadRules`."""
    try:
        rules = msgspec.convert(given.get(_TABLE, ()), tuple[PrimaryRule, ...])
    except msgspec.ValidationError as fault:
        raise BadRules(f"{_TABLE}: {fault}") from None
    groups = [rule.group for rule in rules]
    if twice := sorted({group for group in groups if groups.count(group) > 1}):
        raise BadRules(f"{_TABLE}: the group {twice[0]} has two rules; one is enough")
    return rules


def _group_of(endpoint: UpstreamEndpoint) -> str:
    return "" if endpoint.instance.foreign else endpoint.instance.meta.get(GROUP, "")


def _repeatable(request: Request) -> bool:
    """Return True if a request takes effect once, however often it is sent: it has a key, or only reads."""
    return isinstance(request.body, BytesBody) and (request.method in READS or KEY in request.headers)


def _may_repeat(fault: Problem, request: Request) -> bool:
    if fault.kind in {"bad-gateway", "unavailable"}:  # nothing was delivered
        return isinstance(request.body, BytesBody)
    return fault.kind == "gateway-timeout" and _repeatable(request)


async def _drop(sending: "asyncio.Future[Response]") -> None:
    await cancel_and_wait(sending)
    if not sending.cancelled() and sending.exception() is None:
        await close_body(sending.result().body)
