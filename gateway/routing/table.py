"""The route table, built from documents and rules; the first declaration of a route takes precedence."""

from collections.abc import Sequence

import msgspec

from bookshelf.http.router import Router
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
        for operation in document.operations:
            method, path = operation.method, operation.path
            if (method, path) in granted:
                continue  # a newer edition has declared it
            why = self._objection(service, operation)
            if why is None:
                self._grant(method, path, self._route(document, operation))
            else:
                self.refused.append(RefusedRoute(service, method, path, why))

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
        )

    def _grant(self, method: str, path: str, route: Route) -> None:
        for verb in (method, "HEAD") if method == "GET" else (method,):
            self._holders.setdefault((verb, shape(path)), route.service)
        self.granted.setdefault(route.service, set()).add((method, path))
        self.routes.append((method, route))
        self.router.add(method, path, route)
