"""Binds clients to domains: several domains serve one prefix, and a client stays with its first one.

[[bind]]
prefix = "/counter"
domains = ["blue", "green"]
rebind_s = 30

The domain of a client is in a cookie, or for programs in a header, with a signature of the gateways. A new
client goes to the domain that is less busy. If no instance of a client's domain is ready for `rebind_s`, the
client gets another domain, and begins anew there.
"""

import hmac
import random as machine
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from multidict import CIMultiDict

from bookshelf.http.message import Headers, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.election.candidate import DOMAIN
from gateway.routing.rules import BadRules, Section
from gateway.upstream.call import Route
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pools

#: The header and the cookie with a client's domain, `DOMAIN.SIGNATURE`; and the header for another one.
BOUND, COOKIE, REBOUND = "Bookshelf-Bound", "bookshelf-bound", "Bookshelf-Rebound"
_TABLE = "bind"
_DOMAIN = r"[a-z0-9][a-z0-9-]{0,62}"
_FORM = re.compile(rf"({_DOMAIN})\.([0-9a-f]{{64}})", re.ASCII)
_PAIR = re.compile(rf"(?:^|;)\s*{COOKIE}=([^;]*)")


class BindRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which domains serve the paths at and below `prefix`. With `rebind_s` 0 clients get no other domain."""

    prefix: Annotated[str, Meta(max_length=200, pattern=r"^(/[A-Za-z0-9._~-]+)+$(?!\n)")]
    domains: Annotated[
        tuple[Annotated[str, Meta(pattern=rf"^{_DOMAIN}$(?!\n)")], ...], Meta(min_length=1, max_length=100)
    ]
    rebind_s: Annotated[float, Meta(ge=0, le=86_400)] = 30.0

    def covers(self, path: str) -> bool:
        """Return True for a path at or below the prefix."""
        return f"{path}/".startswith(f"{self.prefix}/")


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The domain of a request, and the route to its instances.

    `sets` is the value that the client gets; empty if it has that already. `rebound`: it had another domain.
    """

    rule: BindRule
    route: Route
    sets: str
    rebound: bool

    def answer(self, response: Response, prefix: str, *, secure: bool) -> None:
        """Add to the response what the client sends from now on. `prefix`: the gateway's, for the cookie."""
        headers = response.headers
        assert isinstance(headers, CIMultiDict)  # noqa: S101 (the gateway made the headers)
        if self.rebound:
            headers[REBOUND] = "true"
        if self.sets:
            headers[BOUND] = self.sets
            secured = "; Secure" if secure else ""
            value = f"{COOKIE}={self.sets}; Path={prefix}{self.rule.prefix}; HttpOnly; SameSite=Lax{secured}"
            headers.add("Set-Cookie", value)


class Bindings:
    """Chooses the domain of each request below a rule's prefix.

    `key` returns the key of the signatures; without one no rule is accepted.
    """

    def __init__(
        self,
        pools: Pools,
        key: Callable[[], bytes] | None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = machine.random,
    ) -> None:
        self._find_key = key
        self._key = b""
        self._clock = clock
        self._random = random
        self._pools = pools
        self._rules: tuple[BindRule, ...] = ()
        #: The domains that have no ready instance, with the time since which.
        self._gone: dict[str, float] = {}
        pools.listeners.append(self._note)

    @property
    def section(self) -> Section:
        """The section of the rules file that sets them."""
        return Section((_TABLE,), self._take)

    def _take(self, given: Mapping[str, Any]) -> Callable[[], None]:
        rules = read_bind_rules(given)
        if not rules:
            return lambda: self._apply((), b"")
        if self._find_key is None:
            raise BadRules(f"{_TABLE}: needs a secret that all gateways share; set accounts_secret_file")
        key = self._find_key()
        return lambda: self._apply(rules, key)

    def _apply(self, rules: tuple[BindRule, ...], key: bytes) -> None:
        self._key = key
        # the longest prefix decides
        self._rules = tuple(sorted(rules, key=lambda rule: -len(rule.prefix)))
        self._note()

    def _note(self) -> None:
        """Note since when domains have no ready instance."""
        if not self._rules:
            return
        there = {_domain_of(endpoint) for endpoint in self._pools.instances()}
        named = {domain for rule in self._rules for domain in rule.domains}
        now = self._clock()
        self._gone = {domain: self._gone.get(domain, now) for domain in named - there}

    def bind(self, request: Request, prefix: str, route: Route) -> Bound | None:
        """Return the domain of a request; None if no rule covers its path. Raises `Problem`: unavailable.

        `prefix`: what the target has before the path.
        """
        if not self._rules:
            return None
        path = request.target.partition("?")[0][len(prefix) :]
        rule = next((rule for rule in self._rules if rule.covers(path)), None)
        if rule is None or route.foreign:
            return None
        given = self._given(rule, request.headers)
        if given and (endpoints := _ready(route, given)):
            return self._bound(rule, route, given, endpoints, known=True)
        if given and not self._is_lost(rule, given):
            msg = f"the domain {given}, which has this client's state, has no ready instance; try again"
            raise Problem("unavailable", msg)
        domain, endpoints = self._less_busy(rule, route)
        if not endpoints:
            raise Problem("unavailable", "no domain of this address has a ready instance; try again")
        return self._bound(rule, route, domain, endpoints, rebound=bool(given))

    def _bound(
        self,
        rule: BindRule,
        route: Route,
        domain: str,
        endpoints: Sequence[UpstreamEndpoint],
        *,
        known: bool = False,
        rebound: bool = False,
    ) -> Bound:
        narrow = replace(route, pool=route.pool.only(*endpoints))
        sets = "" if known else f"{domain}.{self._signature(rule, domain)}"
        return Bound(rule=rule, route=narrow, sets=sets, rebound=rebound)

    def _given(self, rule: BindRule, headers: Headers) -> str:
        """Return the domain that a request names with a valid signature; empty without one."""
        pairs = (value for line in headers.getall("Cookie", ()) for value in _PAIR.findall(line))
        for value in (*headers.getall(BOUND, ()), *pairs):
            match = _FORM.fullmatch(value.strip('" '))
            if match is not None and hmac.compare_digest(self._signature(rule, match[1]), match[2]):
                return match[1]
        return ""

    def _is_lost(self, rule: BindRule, domain: str) -> bool:
        """Return True if the clients of a domain get another one."""
        if domain not in rule.domains:
            return True
        since = self._gone.get(domain)
        return bool(rule.rebind_s) and since is not None and self._clock() - since >= rule.rebind_s

    def _less_busy(self, rule: BindRule, route: Route) -> tuple[str, Sequence[UpstreamEndpoint]]:
        ready = [(domain, endpoints) for domain in rule.domains if (endpoints := _ready(route, domain))]
        return min(ready, key=lambda one: (_busy(one[1]), self._random()), default=("", ()))

    def _signature(self, rule: BindRule, domain: str) -> str:
        return hmac.new(self._key, f"{rule.prefix}\n{domain}".encode(), "sha256").hexdigest()


def read_bind_rules(given: Mapping[str, Any]) -> tuple[BindRule, ...]:
    """Return the rules in the decoded content of a file. Raises `BadRules`."""
    try:
        rules = msgspec.convert(given.get(_TABLE, ()), tuple[BindRule, ...])
    except msgspec.ValidationError as fault:
        raise BadRules(f"{_TABLE}: {fault}") from None
    for what, names in (("prefix", [rule.prefix for rule in rules]), *_domains(rules)):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BadRules(f"{_TABLE}: the {what} {twice[0]} is there twice")
    return rules


def _domains(rules: Iterable[BindRule]) -> Iterable[tuple[str, list[str]]]:
    return ((f"domain of {rule.prefix}", list(rule.domains)) for rule in rules)


def hide_binding(headers: CIMultiDict[str]) -> None:
    """Remove the cookie that a client is bound by from the headers of a request that is passed on."""
    lines = headers.getall("Cookie", ())
    if not any(COOKIE in line for line in lines):
        return
    del headers["Cookie"]
    for line in lines:
        if rest := _PAIR.sub("", line).lstrip("; "):
            headers.add("Cookie", rest)


def _domain_of(endpoint: UpstreamEndpoint) -> str:
    return "" if endpoint.instance.foreign else endpoint.instance.meta.get(DOMAIN, "")


def _ready(route: Route, domain: str) -> Sequence[UpstreamEndpoint]:
    return [endpoint for endpoint in route.pool.endpoints if _domain_of(endpoint) == domain]


def _busy(endpoints: Sequence[UpstreamEndpoint]) -> float:
    return sum(endpoint.outstanding for endpoint in endpoints) / len(endpoints)
