"""The route table and the route catalog, made from the documents of services and the operator's rules.

The first declaration of a route takes precedence; the catalog orders the documents, and merges them into one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from bookshelf import __version__
from bookshelf.discovery.port import Instance
from bookshelf.http.problem import Problem
from bookshelf.http.router import Router
from bookshelf.runtime.openapi import GATEWAY_FAULTS, fault_responses, problem_schemas
from gateway.routing.document import Document, Operation
from gateway.routing.rules import RESERVED, Rules, shape
from gateway.upstream.call import Route
from gateway.upstream.pool import Pools

#: The service name of routes that the rules add.
RULES = "rules"


class RefusedRoute(msgspec.Struct, frozen=True):
    """A route that a service declares and the gateway refuses, with the reason."""

    service: str
    method: str
    path: str
    why: str


class RouteTable:
    """All routes, the service of each, and the routes that were refused."""

    def __init__(self, documents: Sequence[Document], rules: Rules, pools: Pools, prefix: str) -> None:
        self.router: Router[Route] = Router()
        self.routes: list[tuple[str, Route]] = []
        self.refused: list[RefusedRoute] = []
        #: The methods and paths that were granted to each service.
        self.granted: dict[str, set[tuple[str, str]]] = {}
        #: The routes of pages by their roots, and those of single pages below each.
        self.roots: dict[str, Route] = {}
        self._pages: dict[str, Router[Route]] = {}
        self._rules = rules
        self._pools = pools
        self._prefix = prefix
        self._holders: dict[tuple[str, str], str] = {}
        self._add_rules()
        for document in documents:
            self._add(document)

    def _add_rules(self) -> None:
        for rule in self._rules.add:
            for method in rule.methods:
                route = Route(
                    template=self._prefix + rule.path,
                    pool=self._pools.of(rule.tags),
                    service=RULES,
                    deadline_s=rule.deadline_s,
                    keyed=rule.keyed,
                )
                self._grant(method, rule.path, route)

    def _add(self, document: Document) -> None:
        service = document.service
        granted = self.granted.setdefault(service, set())
        self.refused += [RefusedRoute(service, bad.method, bad.path, bad.why) for bad in document.bad]
        if document.root is not None:
            self._mount(document, document.root)
        for operation in document.operations:
            method, path = operation.method, operation.path
            if operation.declared.internal or (method, path) in granted:
                continue  # a newer edition has declared it, or it is not for clients
            why = self._objection(service, operation)
            if why is None:
                self._grant(method, path, self._route(document, operation))
            else:
                self.refused.append(RefusedRoute(service, method, path, why))

    def page_route(self, path: str) -> Route | None:
        """Return the route of the longest root that a raw path is at or below; None if there is none.

        Its template is the page's, if the service has declared that one.
        """
        found = [root for root in self.roots if f"{path}/".startswith(f"{root.rstrip('/')}/")]
        if not found:
            return None
        root = max(found, key=len)
        try:
            return self._pages[root].find("GET", path)[0]
        except Problem:
            return self.roots[root]

    def _mount(self, document: Document, root: str) -> None:
        """Add the route of a service's pages, unless the root is refused, or a newer edition has one."""
        service = document.service
        if any(route.service == service for route in self.roots.values()):
            return
        why = None
        if root.split("/", 2)[1] in {*RESERVED, self._prefix.split("/", 2)[1]}:
            why = "the gateway keeps this for itself"
        elif document.foreign and self._rules.roots.get(service) != root:
            why = "a foreign service may not have pages here"
        elif root in self.roots:
            why = f"{self.roots[root].service} has it"
        if why is not None:
            self.refused.append(RefusedRoute(service, "ANY", root, why))
            return
        self.roots[root] = Route(
            template=f"{root.rstrip('/')}/*",
            pool=self._pools.of(document.tags, document.service if document.own else ""),
            service=service,
            foreign=document.foreign,
        )
        self._pages[root] = Router()
        for template in document.pages:
            deadline_s = document.page_deadlines_s.get(template)
            route = replace(self.roots[root], template=template, deadline_s=deadline_s)
            self._pages[root].add("GET", template, route)

    def _objection(self, service: str, operation: Operation) -> str | None:
        method, path = operation.method, operation.path
        if path.split("/", 2)[1] in RESERVED:
            return "the gateway keeps this for itself"
        if not self._rules.allows(service, path):
            return "this service may not claim this prefix"
        if self._rules.forbids(method, path):
            return "the rules forbid it"
        holder = self._holders.get((method, shape(path)))
        return None if holder in {None, service} else f"{holder} has it"

    def _route(self, document: Document, operation: Operation) -> Route:
        declared = operation.declared
        return Route(
            template=self._prefix + operation.path,
            pool=self._pools.of(document.tags, document.service if document.own else ""),
            service=document.service,
            deadline_s=declared.deadline_s,
            keyed=operation.keyed,
            requirement=operation.requirement,
            aggregate=declared.aggregate,
            creates=declared.subject == "created",
            foreign=document.foreign,
        )

    def _grant(self, method: str, path: str, route: Route) -> None:
        for verb in (method, "HEAD") if method == "GET" else (method,):
            self._holders.setdefault((verb, shape(path)), route.service)
        self.granted.setdefault(route.service, set()).add((method, path))
        self.routes.append((method, route))
        self.router.add(method, path, route)


#: Keys of a path item that apply to all its methods.
_SHARED = ("summary", "description", "parameters")
#: Components by their reference: #/components/schemas/Book.
Parts = dict[str, Any]


#: Error responses that the gateway itself may give in place of any service.
_FAULTS = fault_responses(*GATEWAY_FAULTS)
_COMPONENT = "#/components/schemas/{}"

#: The methods and paths of each service's routes.
Granted = Mapping[str, AbstractSet[tuple[str, str]]]


def merged(documents: Sequence[Document], granted: Granted, prefix: str) -> bytes:
    """Return one OpenAPI 3.1 document of the granted routes; for two editions, the first counts."""
    paths: dict[str, dict[str, Any]] = {}
    parts: Parts = {_COMPONENT.format(name): part for name, part in problem_schemas().items()}
    for document in documents:
        own = _parts(document)
        names = {ref: f"{ref}-{document.service}" for ref in _clashing(own, parts)}
        parts = {names.get(ref, ref): _renamed(part, names) for ref, part in own.items()} | parts
        for path, item in _served(document, granted.get(document.service, set())).items():
            paths[path] = _renamed(item, names) | paths.get(path, {})
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Bookshelf", "version": __version__},
        "servers": [{"url": prefix}],
        "tags": list({tag.name: tag for document in documents for tag in document.groups}.values()),
        "paths": paths,
        "components": _sections(parts),
    }
    return msgspec.json.encode(whole)


def _served(document: Document, granted: AbstractSet[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the paths with the methods that were granted to the service."""
    found: dict[str, dict[str, Any]] = {}
    for path, item in document.paths.items():
        kept = {key: part for key, part in item.items() if (key.upper(), path) in granted}
        if kept:
            shared = {key: part for key, part in item.items() if key in _SHARED}
            found[path] = shared | {key: _with_own_faults(operation) for key, operation in kept.items()}
    return found


def _with_own_faults(operation: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return an operation with the gateway's own error responses added to the service's."""
    if not isinstance(operation, dict):
        return operation
    responses = operation.get("responses")
    own = responses if isinstance(responses, dict) else {}
    return {**operation, "responses": {**own, **{s: r for s, r in _FAULTS.items() if s not in own}}}


def _parts(document: Document) -> Parts:
    return {
        f"#/components/{section}/{name}": part
        for section, named in document.components.items()
        for name, part in named.items()
    }


def _sections(parts: Parts) -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    for ref, part in parts.items():
        _, _, section, name = ref.split("/", 3)
        sections.setdefault(section, {})[name] = part
    return sections


def _clashing(own: Parts, parts: Parts) -> set[str]:
    taken = own.keys() & parts.keys()
    clashing = {ref for ref in taken if own[ref] != parts[ref]}
    # equal text with a reference to a clashing component has another meaning
    while more := {ref for ref in taken - clashing if clashing.intersection(_refs(own[ref]))}:
        clashing |= more
    return clashing


def _refs(part: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    if isinstance(part, dict) and isinstance(ref := part.get("$ref"), str):
        yield ref
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _refs(inner)


def _renamed(part: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 (any JSON)
    if isinstance(part, list):
        return [_renamed(inner, names) for inner in part]
    if not isinstance(part, dict):
        return part
    made = {key: _renamed(inner, names) for key, inner in part.items()}
    if isinstance(ref := part.get("$ref"), str):
        made["$ref"] = names.get(ref, ref)
    return made


#: A service name and a version: all instances of an edition publish the same document.
Edition = tuple[str, str]
_logger = structlog.get_logger(__name__)


class RouteCatalog:
    """Holds the documents of services, and builds the route table and the common OpenAPI document from them.

    The document of a service stays when its instances go: requests for its routes are answered with
    "unavailable" then, not with "no such route".
    """

    def __init__(self, prefix: str, rules: Rules, pools: Pools) -> None:
        self._prefix = prefix
        self.rules = rules
        self.pools = pools
        self._documents: dict[Edition, Document] = {}
        self._precedence = RoutePrecedence()
        self._logged: set[RefusedRoute] = set()
        self._merged: bytes | None = None
        self.table = RouteTable((), rules, pools, prefix)

    @property
    def editions(self) -> AbstractSet[Edition]:
        """The editions whose document is known."""
        return self._documents.keys()

    @property
    def services(self) -> set[str]:
        """The services of which at least one edition is known."""
        return {service for service, _ in self._documents}

    @property
    def document(self) -> bytes:
        """The OpenAPI document of all routes, built on the first access after a change."""
        if self._merged is None:
            self._merged = merged(self._ordered(), self.table.granted, self._prefix)
        return self._merged

    def record(self, instances: Iterable[Instance], now: float) -> None:
        """Record which services are ready at the time `now`."""
        self._precedence.record(instances, now)

    def learn(self, edition: Edition, document: Document) -> None:
        """Add or replace the document of an edition; it precedes earlier ones of the same service."""
        if self._documents.get(edition) == document:
            return
        self._documents.pop(edition, None)
        self._documents[edition] = document
        self._rebuild()

    def apply_rules(self, rules: Rules) -> None:
        """Replace the rules, and rebuild the route table."""
        self.rules = rules
        self._rebuild()

    def forget_former(self, ready: AbstractSet[Edition]) -> None:
        """Remove editions without ready instances, of services that have a newer edition."""
        renewed = {service for service, _ in ready & self.editions}
        self._forget({edition for edition in self.editions - ready if edition[0] in renewed})

    def forget_gone(self, now: float) -> None:
        """Remove services that have been absent for `AWAY_S`, if other services declare their routes."""
        if self.table.refused and (gone := self._precedence.gone(now)):
            self._forget({edition for edition in self.editions if edition[0] in gone})
            self._precedence.forget(gone)

    def _forget(self, former: AbstractSet[Edition]) -> None:
        if former:
            self._documents = {
                key: document for key, document in self._documents.items() if key not in former
            }
            self._rebuild()

    def _ordered(self) -> list[Document]:
        latest_first = reversed(self._documents.items())
        return [
            document
            for _, document in sorted(latest_first, key=lambda item: self._precedence.rank(item[0][0]))
        ]

    def _rebuild(self) -> None:
        self.table = RouteTable(self._ordered(), self.rules, self.pools, self._prefix)
        self._merged = None
        refused = set(self.table.refused)
        for route in refused - self._logged:
            _logger.warning(
                "route-refused", service=route.service, method=route.method, path=route.path, why=route.why
            )
        self._logged = refused


#: Seconds of absence after which another service may take over the routes of a service.
AWAY_S = 60.0
_Rank = tuple[int, bool, str]


class RoutePrecedence:
    """Ranks services by when they were discovered: the first one keeps a route that two services declare.

    Services of the same snapshot rank ours first, then by name, so that gateways that start at the same time
    agree. Neither a name nor a fast response overtakes a service that is already known. The time is passed to
    each call, in seconds of any one clock.
    """

    def __init__(self) -> None:
        self._ranks: dict[str, _Rank] = {}
        self._away: dict[str, float] = {}
        self._snapshots = 0

    def record(self, instances: Iterable[Instance], now: float) -> None:
        """Record the services of a snapshot of the ready instances."""
        ready = {instance.service: instance.foreign for instance in instances}
        self._snapshots += 1
        for service, foreign in ready.items():
            self._ranks.setdefault(service, (self._snapshots, foreign, service))
        self._away = {name: self._away.get(name, now) for name in self._ranks.keys() - ready.keys()}

    def rank(self, service: str) -> _Rank:
        """Return the sort key of a service; a smaller one takes precedence."""
        return self._ranks.get(service, (self._snapshots + 1, True, service))

    def gone(self, now: float) -> set[str]:
        """Return the services that have been absent for at least `AWAY_S`."""
        return {service for service, since in self._away.items() if now - since >= AWAY_S}

    def forget(self, services: Iterable[str]) -> None:
        """Remove services: if they return, they rank as newly discovered."""
        for service in services:
            self._ranks.pop(service, None)
            self._away.pop(service, None)
