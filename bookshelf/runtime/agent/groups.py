"""The service groups of a node: it registers their services, and forwards the requests to their processes."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping

import structlog
from multidict import CIMultiDict

from bookshelf.discovery.port import Discovery, DiscoveryFault, Instance
from bookshelf.http.client import NoResponse, Transport, Unreachable
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.http.router import Router
from bookshelf.runtime.agent.child import ChildReport, ChildService
from bookshelf.runtime.agent.children import ServiceChild
from bookshelf.runtime.api.endpoint import Api, Around, Endpoint
from bookshelf.runtime.api.forwarding import UNKNOWN
from bookshelf.runtime.election.candidate import PACKAGE
from bookshelf.runtime.health import live
from bookshelf.runtime.metrics import Meters

#: Fields of one connection, or that the child's own port would check against its own address.
_OF_THE_HOP = ("Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Proxy-Connection")
_CHECKED = ("Host", "Origin", "Sec-Fetch-Site", "Expect")
#: Fields that the node's own port adds to each answer.
_OF_THE_SERVER = ("Date", "Server")
#: Seconds for the last registrations.
_PASS_ON_S = 5.0
_logger = structlog.get_logger(__name__)


class ForwardingEndpoint:
    """Forwards the requests of one service to its process."""

    def __init__(self, service: str, group: "ActiveGroup", transport: Transport, target: str = "") -> None:
        self.service = service
        self._group = group
        self._transport = transport
        self._target = target

    async def __call__(self, request: Request, _path: Mapping[str, str]) -> Response:
        """Return the response of the process. Raises `Problem`."""
        instance = self._group.registered.get(self.service)
        if instance is None:
            raise Problem("unavailable", f"{self.service} is not ready on this node")
        headers = CIMultiDict(request.headers)
        chunked = "Transfer-Encoding" in headers
        for name in (*_OF_THE_HOP, *_CHECKED, *(["Content-Length"] if chunked else [])):
            headers.popall(name, None)
        sent = Request(request.method, self._target or request.target, headers, request.body, request.peer)
        try:
            answer = await self._transport.send(instance.address, instance.port, sent)
        except Unreachable:
            raise Problem("unavailable", f"{self.service} does not run on this node just now") from None
        except NoResponse:
            if request.method in {"GET", "HEAD"}:
                raise Problem("unavailable", f"{self.service} has ended while it answered") from None
            raise Problem("gateway-timeout", UNKNOWN) from None
        kept = CIMultiDict(answer.headers)
        for name in (*_OF_THE_HOP, *_OF_THE_SERVER):
            kept.popall(name, None)
        return Response(answer.status, kept, answer.body)


class ActiveGroup:
    """A service group that runs on this node: its process, and the instances of its services.

    `digest` and `version` are those of its package.
    """

    def __init__(self, name: str, digest: str, child: ServiceChild, version: str = "") -> None:
        self.name = name
        self.digest = digest
        self.child = child
        self.version = version
        #: The instances as the process listens, by service.
        self.registered: dict[str, Instance] = {}
        #: It is unloaded, unless the open rollout is rolled back.
        self.is_leaving = False


class ServiceGroups:
    """The groups of one node at one port.

    `address` and `port`: where others find the node. `around`: returns what runs around the endpoints of a
    service, for pauses, revisions and policies.
    """

    def __init__(
        self,
        discovery: Discovery,
        transport: Transport,
        around: Callable[[str], Around | None] = lambda _service: None,
    ) -> None:
        self._discovery = discovery
        self._transport = transport
        self.around = around
        self.address = ""
        self.port = 0
        self._groups: dict[str, ActiveGroup] = {}
        self._former: dict[str, ActiveGroup] = {}
        self._api = self._make_api()
        self._changes: asyncio.Queue[tuple[ActiveGroup, ChildReport]] = asyncio.Queue()

    @property
    def active(self) -> Mapping[str, ActiveGroup]:
        """The groups by name."""
        return self._groups

    @property
    def services(self) -> frozenset[str]:
        """The services that run on this node."""
        return frozenset(one.name for group in self._groups.values() for one in group.child.services)

    def groups_of(self, service: str) -> list[str]:
        """Return the groups that a service is of: one, or none if it does not run on this node."""
        named = ((group.name, one.name) for group in self._groups.values() for one in group.child.services)
        return [group for group, name in named if name == service]

    @property
    def routes(self) -> Mapping[str, list[str]]:
        """The routes of each service that runs on this node, like `POST /books`."""
        return {
            service.name: [f"{method} {path}" for method, path in service.routes]
            for group in self._groups.values()
            for service in group.child.services
        }

    async def handle(self, request: Request) -> Response:
        """Answer a request to the node's port."""
        return await self._api.handle(request)

    def check(self, services: Iterable[ChildService], group: str) -> str | None:
        """Return why these services cannot run beside those of other groups; None if they can."""
        routes: Router[str] = Router()
        names = set()
        for other in self._groups.values():
            for service in other.child.services if other.name != group else ():
                names.add(service.name)
                for method, path in service.routes:
                    routes.add(method, path, service.name)
        for service in services:
            if service.name in names:
                return f"a service {service.name} is loaded already"
            for method, path in service.routes:
                with contextlib.suppress(Problem):
                    found, template, _ = routes.find(method, path)
                    return f"{found} has the route {method} {template} already"
        return None

    def put(self, group: ActiveGroup, former: ActiveGroup | None = None) -> None:
        """Let a group answer the requests of its services, in place of the former one of its name.

        `former`: its routes that the group lacks stay until `settle`, or another `put`: while the rollout can
        be rolled back, 404 would be an answer from the next revision.
        """
        self._groups[group.name] = group
        self._former.pop(group.name, None)
        if former is not None:
            self._former[group.name] = former
        self._api = self._make_api()

    def settle(self, name: str) -> None:
        """Answer no more requests for what a former group had, and the one of this name lacks."""
        if self._former.pop(name, None) is not None:
            self._api = self._make_api()

    def remove(self, group: ActiveGroup) -> None:
        """Answer no more requests of a group."""
        if self._groups.get(group.name) is group:
            del self._groups[group.name]
            self._former.pop(group.name, None)
            self._api = self._make_api()

    def relay(self, group: ActiveGroup, report: ChildReport) -> None:
        """Take a report of a group's process; `run` passes it on to discovery."""
        if report.instance is not None:
            group.registered[report.instance.service] = report.instance
        self._changes.put_nowait((group, report))

    def forget(self, group: ActiveGroup) -> None:
        """Deregister all services of a group whose process has ended."""
        for instance in group.registered.values():
            self._changes.put_nowait((group, ChildReport("deregistered", id=instance.id)))
        group.registered.clear()

    async def run(self) -> None:
        """Keep the registrations in discovery as the processes report them, until cancelled."""
        while True:
            group, report = await self._changes.get()
            try:
                await self._pass_on(group, report)
            except DiscoveryFault as fault:
                _logger.warning("service-group-not-registered", group=group.name, why=str(fault))
            finally:
                self._changes.task_done()

    async def passed_on(self) -> None:
        """Return when discovery has everything that was reported until now, or after a few seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PASS_ON_S):
                await self._changes.join()

    async def _pass_on(self, group: ActiveGroup, report: ChildReport) -> None:
        if report.event == "deregistered":
            await self._discovery.deregister(report.id)
        elif report.event == "reported":
            await self._discovery.report(report.id, report.fault)
        elif report.instance is not None and report.instance.service in group.registered:
            await self._discovery.register(self._at_the_node(group.name, report.instance))

    def _at_the_node(self, group: str, instance: Instance) -> Instance:
        """Return the registration of a service of a group at the node's own port."""
        meta = {**instance.meta, PACKAGE: group, "openapi": f"/openapi/{instance.service}.json"}
        return Instance(
            id=instance.id,
            service=instance.service,
            tags=instance.tags,
            address=self.address,
            port=self.port,
            meta=meta,
        )

    def _make_api(self) -> Api:
        api = Api("node", Meters())
        api.around = self._admit
        api.add("GET", "/health/live", live, internal=True)
        api.add("GET", "/health/ready", live, internal=True)
        # a route that both have is that of the present group, which is added last
        for group in (*self._former.values(), *self._groups.values()):
            for service in group.child.services:
                forward = ForwardingEndpoint(service.name, group, self._transport)
                for method, path in service.routes:
                    api.add(method, path, forward)
                for method, path in service.internal:
                    api.add(method, path, forward, internal=True)
                for kind, end in (("openapi", ".json"), ("metrics", "")):
                    target = f"/{kind}{end}"
                    one = ForwardingEndpoint(service.name, group, self._transport, target)
                    api.add("GET", f"/{kind}/{service.name}{end}", one, internal=True)
        return api

    async def _admit(
        self, endpoint: Endpoint, template: str, request: Request, path: Mapping[str, str]
    ) -> Response:
        around = self.around(endpoint.service) if isinstance(endpoint, ForwardingEndpoint) else None
        if around is None:
            return await endpoint(request, path)
        return await around(endpoint, template, request, path)
