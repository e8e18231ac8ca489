"""The policy of a service: limits, deadline, scopes and state, for all of its routes or for one."""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bookshelf.cluster.toml_text import BadToml, field_problems, loads, nearest, problem_at
from bookshelf.cqrs.item import ItemProblem

_Rate = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,6}/(second|minute|hour)$(?!\n)", examples=["10/second", "10/minute"])
]
_Seconds = Annotated[float, Meta(gt=0, le=3600)]
_Scope = Annotated[str, Meta(pattern=r"^[a-z0-9:._-]{1,100}$(?!\n)")]
_Line = Annotated[
    str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$(?!\n)")
]
_RATE_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_ROUTE = "route"
State = Literal["open", "read-only", "closed"]


class RoutePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a policy sets for one route; None: as the service's policy, or else as the route itself.

    `deadline_s`: seconds until an answer must begin. `rate`: requests of all clients together that an
    instance answers in a time. `body_bytes`: the most of a request. `requires`: further scopes that a caller
    must have. `cache_s`: seconds for which a client may keep the answer to a GET. `state`: `read-only`
    answers GET and HEAD alone, `closed` nothing; `message` and `retry_after_s` are in the refusal.
    """

    deadline_s: _Seconds | None = None
    rate: _Rate | None = None
    body_bytes: Annotated[int, Meta(ge=0, le=1 << 40)] | None = None
    requires: tuple[_Scope, ...] | None = None
    cache_s: Annotated[int, Meta(ge=0, le=31_536_000)] | None = None
    state: State | None = None
    message: _Line | None = None
    retry_after_s: Annotated[int, Meta(ge=1, le=86_400)] | None = None

    @property
    def per_second(self) -> tuple[int, float] | None:
        """The rate as requests and the seconds that they are counted in."""
        if self.rate is None:
            return None
        count, _, unit = self.rate.partition("/")
        return int(count), _RATE_S[unit]


class ServicePolicy(RoutePolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a policy sets for a service, and for single routes of it by `METHOD /path`.

    `log_level` is that of the processes that run the service.
    """

    log_level: Literal["debug", "info", "warning", "error"] | None = None
    route: dict[str, RoutePolicy] = {}

    def of(self, route: str) -> RoutePolicy:
        """Return the policy of one route: its own fields, and the service's for the others."""
        own = self.route.get(route)
        if own is None:
            return self
        values = {
            name: getattr(self, name) if getattr(own, name) is None else getattr(own, name)
            for name in RoutePolicy.__struct_fields__
        }
        return RoutePolicy(**values)


_ROUTE_KINDS: Mapping[str, Any] = {field.name: field.type for field in msgspec.structs.fields(RoutePolicy)}
_SERVICE_KINDS: Mapping[str, Any] = {
    field.name: field.type for field in msgspec.structs.fields(ServicePolicy) if field.name != _ROUTE
}
_ROUTE_NAME = re.compile(r"[A-Z]{1,20} /\S{0,500}")


def file_of(service: str) -> str:
    """Return the name of the file that a policy stands in."""
    return f"policies/{service}.toml"


def check_policy(
    service: str, text: str, routes: Mapping[str, Collection[str] | None]
) -> tuple[ItemProblem, ...]:
    """Return what is wrong with the policy of a service.

    `routes`: those of each existing service, like `POST /books`; None for one whose routes this process does
    not know, because it does not run it: only the form of their names is checked then.
    """
    file = file_of(service)
    if service not in routes:
        near = nearest(service, routes)
        return (ItemProblem(file, f"there is no service {service[:100]}", near=near),)
    try:
        given = loads(text, file)
    except BadToml as fault:
        return (fault.problem,)
    tables = given.pop(_ROUTE, {})
    found = field_problems(given, _SERVICE_KINDS, text, file)
    if not isinstance(tables, dict):
        return (*found, problem_at(text, file, (_ROUTE,), 'must be tables like [route."GET /books"]'))
    for name, table in tables.items():
        found += _route_problems(name, table, routes[service], text, file)
    return tuple(found)


def _route_problems(
    name: str, table: object, routes: Collection[str] | None, text: str, file: str
) -> list[ItemProblem]:
    path = (_ROUTE, name)
    if routes is None and not _ROUTE_NAME.fullmatch(name):
        return [problem_at(text, file, path, "must be a method and a path, like GET /books")]
    if routes is not None and name not in routes:
        return [problem_at(text, file, path, "is no route of the service", nearest(name, routes))]
    if not isinstance(table, dict):
        return [problem_at(text, file, path, f'must be a table: [route."{name[:100]}"]')]
    return field_problems(table, _ROUTE_KINDS, text, file, path)


def read_policy(text: str) -> ServicePolicy:
    """Return a policy that has been checked. Raises `BadToml`, `msgspec.ValidationError`."""
    return msgspec.convert(loads(text, ""), ServicePolicy)
