"""The route catalog: the documents of services, their precedence, and the document they are merged into."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
import structlog

from bookshelf import __version__
from bookshelf.discovery.port import Instance
from bookshelf.runtime.openapi import GATEWAY_FAULTS, fault_responses, problem_schemas
from gateway.routing.document import Document
from gateway.routing.rules import Rules
from gateway.routing.table import RefusedRoute, RouteTable
from gateway.upstream.pool import Pools

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
