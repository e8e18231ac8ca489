"""Declares a service (name, tags, port, parts, routes), and checks that no two services collide."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.handler import HandlerRoute, Middleware, ServiceTask
from bookshelf.cqrs.process import Process
from bookshelf.cqrs.route import BulkRoute, CommandRoute, Route
from bookshelf.cqrs.session_route import SessionRoute
from bookshelf.cqrs.view import View
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem

#: Makes the page that a problem is answered with. It may read what is unread of the request's body.
ErrorPage = Callable[[Request, Problem], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One entry of bookshelf/services.py: all that is needed to run a service.

    `tags` are what it is found by in service discovery; it `runs` aggregates, views, processes and
    connectors, and `serves` routes. With a `root`, like / or /shop, it serves pages: the gateway passes on
    every request at and below that address. `middleware` runs around each of its handlers. `error_page` makes
    the page that it answers a problem with, unknown addresses included; without it the answer is problem
    details. `tasks` run beside its handlers: each is a function of the ports that handlers get. `load`
    returns the service with what only a process that runs it imports, like its pages. A service that
    `needs_accounts` is not run by `bookshelf up` without them. One instance alone runs of a service that
    `keeps_files`, in the folder of blobs or in its own. One that `needs_keyring` seals or signs also without
    accounts. docker-compose runs one with a `profile` only with that. One that `needs_domain` is not run
    without the setting `cluster_domain`. The aggregates of one that `is_asked` get commands from processes
    that do not run it. One instance of a `primary_of` group is that group's primary: it holds a lock, and a
    gateway with the rule `primary` sends it all requests of the group.
    """

    name: str
    summary: str
    tags: tuple[str, ...]
    port: int
    runs: tuple[Aggregate[Any] | View | Process | Connector, ...]
    serves: tuple[Route, ...]
    root: str | None = None
    middleware: tuple[Middleware, ...] = ()
    error_page: ErrorPage | None = None
    tasks: tuple[ServiceTask, ...] = ()
    load: "Callable[[Service], Service] | None" = None
    needs_accounts: bool = False
    keeps_files: bool = False
    needs_keyring: bool = False
    profile: str = ""
    needs_domain: bool = False
    is_asked: bool = False
    primary_of: str = ""

    @property
    def aggregates(self) -> tuple[Aggregate[Any], ...]:
        """The aggregates whose partitions this service owns."""
        return tuple(part for part in self.runs if isinstance(part, Aggregate))

    @property
    def views(self) -> tuple[View, ...]:
        """The views that this service keeps up to date."""
        return tuple(part for part in self.runs if isinstance(part, View))

    @property
    def senders(self) -> tuple[Process | Connector, ...]:
        """The processes and connectors that this service runs."""
        return tuple(part for part in self.runs if isinstance(part, Process | Connector))

    @property
    def is_published(self) -> bool:
        """True if docker-compose publishes its port; else it is reached through the gateway alone."""
        return not (self.needs_accounts or self.profile)

    def loaded(self) -> "Service":
        """Return the service as a process runs it."""
        return self if self.load is None else self.load(self)


class ServiceConflict(Exception):
    """Two services claim one name, port or path; the message names them and what to change."""


#: Paths that the runtime answers in every service.
_RESERVED = ("GET /health/live", "GET /health/ready", "GET /metrics", "GET /openapi.json")
_VARIABLE = re.compile(r"\{[^{}]*\}")
_ROOT = re.compile(r"/|(/[a-z0-9-]+)+")


def check_services(services: Iterable[Service], ports: Mapping[str, int]) -> None:
    """Check that no two services claim one name, port, root or path, and no two parts one name.

    Paths that differ only in the names of their parameters are the same: no request could be routed to the
    second one. Raises `ServiceConflict`.
    """
    listed = tuple(services)
    claims: dict[str, str] = {}
    for name, port in ports.items():
        claims |= {f"name {name}": name, f"port {port}": name}
    for service in listed:
        _check_parts(service)
        for claim in _claims(service):
            if claim in claims:
                msg = _conflict(claim, claims[claim], service.name)
                raise ServiceConflict(msg)
            claims[claim] = service.name
    _check_tags(listed)


def _check_tags(services: Iterable[Service]) -> None:
    """Check that no service has all tags of another: the gateway would send it the other's requests.

    Raises `ServiceConflict`.
    """
    for first, second in permutations(services, 2):
        if set(first.tags) <= set(second.tags):
            tags = ", ".join(first.tags)
            what = f"{second.name} has all tags of {first.name}, by which that is found: {tags}"
            msg = f"bookshelf/services.py: {what}; change one of them"
            raise ServiceConflict(msg)


def _conflict(claim: str, first: str, second: str) -> str:
    if claim == f"name {first}":
        what = f"two services are called {first}"
    elif first == second:
        what = f"{first} claims the {claim} twice"
    else:
        what = f"{first} and {second} both claim the {claim}"
    return f"bookshelf/services.py: {what}; change one of them"


def _claims(service: Service) -> Iterator[str]:
    yield f"name {service.name}"
    yield f"port {service.port}"
    for part in service.runs:
        # all parts share one set of names: consumer groups, topics and folders have them
        yield f"part {part.name}"
    kind = "path" if service.root is None else "page"
    for route in service.serves:
        yield f"{kind} {route.method} {_VARIABLE.sub('{}', route.path)}"
    if service.root is not None:
        yield f"root {service.root}"


def _check_parts(service: Service) -> None:
    """Check that a service runs what its routes need and claims no reserved path.

    Raises `ServiceConflict`.
    """
    _check_root(service)
    for route in service.serves:
        named = f"bookshelf/services.py: {service.name} serves {route.method} {route.path}"
        if f"{route.method} {route.path}" in _RESERVED:
            msg = f"{named}, which every service has for itself; choose another path"
            raise ServiceConflict(msg)
        if isinstance(route, BulkRoute | HandlerRoute | SessionRoute):
            continue
        part = route.aggregate if isinstance(route, CommandRoute) else route.view
        if all(part is not own for own in service.runs):
            msg = f"{named}, but does not run {part.name}; add it to `runs`"
            raise ServiceConflict(msg)
        if isinstance(route, CommandRoute):
            _check_variables(route, named)
            _check_wait(route, service, named)


def _check_root(service: Service) -> None:
    """Check that a service with a root serves pages at and below it only. Raises `ServiceConflict`."""
    if service.root is None:
        return
    named = f"bookshelf/services.py: {service.name} has the root {service.root}"
    if _ROOT.fullmatch(service.root) is None:
        msg = f"{named}; a root is / or like /shop, of small letters, digits and hyphens"
        raise ServiceConflict(msg)
    below = f"{service.root.rstrip('/')}/"
    for route in service.serves:
        if not isinstance(route, HandlerRoute) or not f"{route.path}/".startswith(below):
            msg = f"{named}, but serves {route.method} {route.path}, which is no page below it"
            raise ServiceConflict(msg)


def _check_variables(route: CommandRoute, named: str) -> None:
    """Check that a command gets every value of its path, and has a subject. Raises `ServiceConflict`."""
    variables = set(_VARIABLE.findall(route.path))
    fields = {f"{{{field.encode_name}}}" for field in msgspec.structs.fields(route.params)}
    if lost := variables - fields - {"{id}"}:
        msg = f"{named}, but `params` has no field for {', '.join(sorted(lost))}; add it"
        raise ServiceConflict(msg)
    if not route.creates and route.subject is None and "{id}" not in variables:
        msg = f"{named} without {{id}} in its path; add `subject`, or `creates`"
        raise ServiceConflict(msg)


def _check_wait(route: CommandRoute, service: Service, named: str) -> None:
    """Check that a query that a command waits for is of this service, and of one id.

    Raises `ServiceConflict`.
    """
    query = route.waits_for
    if query is None:
        return
    if all(query is not own for own in service.serves) or _VARIABLE.findall(query.path) != ["{id}"]:
        msg = f"{named}, which waits for {query.path}; that must be a route of this service with {{id}} alone"
        raise ServiceConflict(msg)
    if not route.creates and "{id}" not in route.path:
        msg = f"{named}, which waits for {query.path} and has no {{id}}; add it, or `creates`"
        raise ServiceConflict(msg)
