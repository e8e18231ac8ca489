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
        #: The routes of pages by their roots.
        self.roots: dict[str, Route] = {}
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
            if (method, path) in granted:
                continue  # a newer edition has declared it
            why = self._objection(service, operation)
            if why is None:
                self._grant(method, path, self._route(document, operation))
            else:
                self.refused.append(RefusedRoute(service, method, path, why))

    def page_route(self, path: str) -> Route | None:
        """Return the route of the longest root that a raw path is at or below; None if there is none."""
        found = [root for root in self.roots if f"{path}/".startswith(f"{root.rstrip('/')}/")]
        return self.roots[max(found, key=len)] if found else None

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
