"""Runs one instance of a service: replay, listen, register; at its end deregister, drain, close."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial

import msgspec
import structlog

from bookshelf import __version__
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.handler import INTERNAL, HandlerRoute
from bookshelf.cqrs.message import shared_fields
from bookshelf.cqrs.process import Process
from bookshelf.cqrs.route import BulkRoute, CommandRoute, EventsRoute
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import SessionRoute
from bookshelf.cqrs.view import View
from bookshelf.discovery.port import Instance
from bookshelf.http.message import Request, Response
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.api.aggregate_client import AggregateClient, AggregateEndpoint
from bookshelf.runtime.api.bulk import BulkEndpoint
from bookshelf.runtime.api.commands import CommandEndpoint
from bookshelf.runtime.api.endpoint import Api, Endpoint
from bookshelf.runtime.api.event_streams import EventsEndpoint
from bookshelf.runtime.api.forwarding import OwnerForwarder
from bookshelf.runtime.api.handlers import HandlerEndpoint, ServicePorts
from bookshelf.runtime.api.ownership import owns
from bookshelf.runtime.api.queries import QueryEndpoint
from bookshelf.runtime.api.session_routes import with_session_routes
from bookshelf.runtime.api.waiting import WaitingEndpoint
from bookshelf.runtime.election.candidate import PrimaryCandidate, candidate_for, candidate_meta
from bookshelf.runtime.gauges import ServiceGauges
from bookshelf.runtime.health import Health, live
from bookshelf.runtime.infrastructure import Infrastructure, Listener
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.openapi import document
from bookshelf.runtime.process.connector import ConnectorHost
from bookshelf.runtime.process.host import ProcessHost, process_host
from bookshelf.runtime.sealing import ApiSeals, members_of
from bookshelf.runtime.supervisor import Supervisor
from bookshelf.runtime.view.host import ViewHost

#: The path of a service's OpenAPI document; its registration has this in its metadata, for gateways.
DOCUMENT = "/openapi.json"
_logger = structlog.get_logger(__name__)


class ServiceHost:
    """Runs one instance of a service from `start` to `stop`: its parts, API and registration."""

    def __init__(self, service: Service, infrastructure: Infrastructure, host: str, port: int) -> None:
        given = service.loaded()
        self.service = service = with_session_routes(given, infrastructure.sessions)
        self._infrastructure = infrastructure
        #: The settings of its routes with sessions.
        self.sessions = tuple(route.sessions for route in given.serves if isinstance(route, SessionRoute))
        self._has_sessions = bool(self.sessions)
        self._host = host
        self._port = port
        self.meters = Meters()
        #: Not set while a rollout pauses the service.
        self._resumed = asyncio.Event()
        self._resumed.set()
        self.aggregates = {a.name: self._aggregate(a.name) for a in service.aggregates}
        self.views = {view.name: self._view(view) for view in service.views}
        self._onward = {
            name: OwnerForwarder(name, infrastructure.discovery, infrastructure.transport)
            for name in self.aggregates
        }
        self.candidate = _candidate(service, infrastructure)
        self._ports = ServicePorts(service.name, infrastructure, self.views, self._clients(), self.candidate)
        #: Processes and connectors.
        self.processes = {sender.name: self._sender(sender) for sender in service.senders}
        self._gauges = ServiceGauges(
            self.meters,
            infrastructure.log,
            self.aggregates.values(),
            self.views.values(),
            self.processes.values(),
        )
        #: Returns why the service is not ready although it works: the node has no decision of its domain.
        self.hold: Callable[[], str | None] | None = None
        self.health = Health(self._fault, self._warnings)
        self._supervisors = {task: Supervisor(f"a task of {service.name}") for task in service.tasks}
        self._streams: list[EventsEndpoint | HandlerEndpoint] = []
        self.api = self._make_api()
        self._listener: Listener | None = None
        self._begun = AsyncExitStack()
        self._is_prepared = self._is_started = False

    def _aggregate(self, name: str) -> AggregateHost:
        infrastructure = self._infrastructure
        (aggregate,) = (a for a in self.service.aggregates if a.name == name)
        dependencies = OwnerDependencies(
            *(infrastructure.log, infrastructure.ids, infrastructure.clock, self.meters.owner(name)),
            has_accounts=infrastructure.callers.has_accounts,
            resumed=self._resumed,
        )
        return AggregateHost(aggregate, dependencies, infrastructure.states)

    def _clients(self) -> dict[str, AggregateClient]:
        infrastructure = self._infrastructure
        clock, ids, callers = infrastructure.clock, infrastructure.ids, infrastructure.callers
        return {
            name: AggregateClient(host, self._onward[name], clock, ids, callers)
            for name, host in self.aggregates.items()
        }

    def _sender(self, sender: Process | Connector) -> ProcessHost:
        log, clock, ids = self._infrastructure.log, self._infrastructure.clock, self._infrastructure.ids
        meters = self.meters.process(sender.name)
        if isinstance(sender, Connector):
            return ConnectorHost(sender, log, clock, ids, meters, self._ports)
        return process_host(sender, log, clock, ids, meters)

    def _view(self, view: View) -> ViewHost:
        ports, meters = self._infrastructure, self.meters.view(view.name)
        return ViewHost(view, ports.log, ports.storage, meters, seals=ports.seals)

    def _fault(self) -> str | None:
        held = None if self.hold is None else self.hold()
        if self._has_sessions and self._infrastructure.sessions is not None:
            held = held or self._infrastructure.sessions.fault
        held = held or (None if self._is_started else "it is starting")
        return next((host.fault for host in self._hosts() if host.fault is not None), held)

    def _warnings(self) -> list[str]:
        found = [view.warning for view in self.views.values()]
        found += [process.warning for process in self.processes.values()]
        found += [supervisor.fault for supervisor in self._supervisors.values()]
        return [warning for warning in found if warning is not None]

    def _hosts(self) -> list[AggregateHost | ViewHost]:
        return [*self.aggregates.values(), *self.views.values()]

    @property
    def port(self) -> int:
        """The port that it listens on, from `start` on."""
        assert self._listener is not None  # noqa: S101 (it has started)
        return self._listener.port

    @property
    def address(self) -> str:
        """The address that other machines reach it at, from `start` on."""
        assert self._listener is not None  # noqa: S101 (it has started)
        return self._listener.host

    async def prepare(self) -> None:
        """Start the views, which replay the log; nothing is owned or registered yet.

        Raises `LogFault`, `StorageFault`.
        """
        if self._is_prepared:
            return
        self._is_prepared = True
        if self.candidate is not None:
            # at the very end, after the last answer
            self._begun.push_async_callback(self.candidate.stop, self)
        for view in self.views.values():
            self._begun.push_async_callback(view.stop)
            await view.start()

    async def open(self) -> None:
        """Get the views ready, and listen; nothing is owned or registered yet, and the service is not ready.

        Raises `PortTaken`, `LogFault`, `StorageFault`.
        """
        await self.prepare()
        self._begun.push_async_callback(self._close)
        await self._listen()

    async def start(self) -> None:
        """Get ready, listen, then register. Raises `PortTaken`, `LogFault`, `StorageFault`."""
        await self.prepare()
        if self._listener is None:
            # at the end the partitions are given away before the listener closes: late commands are forwarded
            self._begun.push_async_callback(self._close)
        for aggregate in self.aggregates.values():
            self._begun.push_async_callback(aggregate.stop)
            await aggregate.start()
        for process in self.processes.values():
            self._begun.push_async_callback(process.stop)
            await process.start()
        await self._listen()
        if self._has_sessions and self._infrastructure.sessions is not None:
            await self._infrastructure.sessions.complete()
        self._is_started = True
        await self._register(f"{self.service.name}-{self._infrastructure.ids.new()}")
        if self.candidate is not None:
            self.candidate.start(self)
        _logger.info("ready", service=self.service.name, port=self.port)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await self._infrastructure.listen(self.api, self._host, self._port)

    async def _close(self) -> None:
        if self._listener is not None:
            await self._listener.stop()

    async def _register(self, instance_id: str) -> None:
        discovery = self._infrastructure.discovery
        await discovery.register(self._instance(instance_id))
        self._begun.push_async_callback(discovery.deregister, instance_id)
        self._begun.enter_context(self.health.registration())
        tasks = [self.health.report(discovery, instance_id)]
        tasks += [self._publish(host, instance_id) for host in self.aggregates.values()]
        tasks += [
            supervisor.keep(partial(task, self._ports)) for task, supervisor in self._supervisors.items()
        ]
        for task in map(asyncio.create_task, tasks):
            self._begun.push_async_callback(_cancelled, task)

    def _instance(self, instance_id: str) -> Instance:
        assert self._listener is not None  # noqa: S101 (it listens before it registers)
        meta = {"version": __version__, "openapi": DOCUMENT}
        meta |= candidate_meta(self._infrastructure.locks, self.service.primary_of)
        for name, host in self.aggregates.items():
            meta |= owns(name, host.owned, host.partitions)
        return Instance(
            id=instance_id,
            service=self.service.name,
            tags=self.service.tags,
            address=self._listener.host,
            port=self._listener.port,
            meta=meta,
        )

    async def _publish(self, host: AggregateHost, instance_id: str) -> None:
        """Register again whenever the owned partitions change, until cancelled."""
        owned = host.owned
        while True:
            owned = await host.moved(owned)
            await self._infrastructure.discovery.register(self._instance(instance_id))
            await self.health.tell(self._infrastructure.discovery, instance_id, registered=True)

    def note_pause(self, rollout: str | None) -> None:
        """Hold the timers of all aggregates during a pause for a rollout, and notify the clients of streams.

        `rollout`: empty while the node joins its domain, None once the service has resumed.
        """
        if rollout is None:
            self._resumed.set()
        else:
            self._resumed.clear()
        for streams in self._streams:
            if isinstance(streams, EventsEndpoint):
                streams.note_pause(rollout)

    async def stop(self) -> None:
        """End streams and deregister, give away the partitions, answer the requests under way; then close."""
        for streams in self._streams:
            streams.close()
        await self._begun.aclose()
        _logger.info("stopped", service=self.service.name)

    def _waiting(self, route: CommandRoute, commands: CommandEndpoint) -> Endpoint:
        """Return the endpoint of a command route, which may wait for a query."""
        query, callers = route.waits_for, self._infrastructure.callers
        if query is None:
            return commands
        queries = QueryEndpoint(
            query, self.views[query.view.name], callers, self._seals(), self._infrastructure.clock
        )
        return WaitingEndpoint(commands, queries, query.path, callers)

    def _make_api(self) -> Api:
        api = Api(self.service.name, self.meters, self.service.error_page)
        infrastructure, seals, callers = self._infrastructure, self._seals(), self._infrastructure.callers
        for route in self.service.serves:
            if isinstance(route, CommandRoute):
                host = self.aggregates[route.aggregate.name]
                onward = self._onward[route.aggregate.name]
                commands = CommandEndpoint(
                    route, host, infrastructure.clock, infrastructure.ids, onward, callers, seals=seals
                )
                api.add(route.method, route.path, self._waiting(route, commands))
            elif isinstance(route, BulkRoute):
                api.add(route.method, route.path, BulkEndpoint(route, api, infrastructure.ids, callers))
            elif isinstance(route, EventsRoute):
                streams = EventsEndpoint(route, self.views[route.view.name], callers, seals=seals)
                self._streams.append(streams)
                api.add(route.method, route.path, streams)
            elif isinstance(route, HandlerRoute):
                handler = HandlerEndpoint(route, self._ports, callers, self.service.middleware)
                self._streams.append(handler)
                # calls of our own processes are not paused: a rollout would wait for its own means
                api.add(route.method, route.path, handler, internal=route.requires == INTERNAL)
            elif not isinstance(route, SessionRoute):  # which is a handler route by now
                view = self.views[route.view.name]
                queries = QueryEndpoint(route, view, callers, seals, infrastructure.clock)
                api.add(route.method, route.path, queries)
        api.add("GET", "/health/live", live, internal=True)
        api.add("GET", "/health/ready", self.health.ready, internal=True)
        api.add("GET", "/metrics", self._metrics, internal=True)
        api.add("GET", DOCUMENT, _Document(self.service, secured=callers.has_accounts), internal=True)
        self._add_internal(api)
        return api

    def _add_internal(self, api: Api) -> None:
        """Serve the calls of handlers in other instances, of this service or of all."""
        has_handlers = any(isinstance(route, HandlerRoute) for route in self.service.serves)
        if not has_handlers and not self.service.is_asked:
            return
        infrastructure, callers = self._infrastructure, self._infrastructure.callers
        for host in self.aggregates.values():
            endpoint = AggregateEndpoint(host, infrastructure.clock, infrastructure.ids, callers)
            for path, answer in endpoint.paths():
                api.add("POST", path, answer, internal=True)

    def _seals(self) -> ApiSeals:
        service = self.service
        bodies = [route.body for route in service.serves if isinstance(route, CommandRoute)]
        events = [event for part in service.runs for event in part.catalogue]
        shared = frozenset[str]().union(*map(shared_fields, events))
        return ApiSeals(self._infrastructure.seals, members_of(*bodies, *events), shared)

    async def _metrics(self, _request: Request, _path: Mapping[str, str]) -> Response:
        await self._gauges.measure()
        kind, text = self.meters.page()
        return Response(200, {"Content-Type": kind}, text)


def _candidate(service: Service, infrastructure: Infrastructure) -> PrimaryCandidate | None:
    group = service.primary_of
    return candidate_for(infrastructure.locks, group) if group else None


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class _Document:
    """The endpoint of a service's OpenAPI document, made when it is first asked for."""

    def __init__(self, service: Service, *, secured: bool) -> None:
        self._service = service
        self._secured = secured
        self._body = b""

    async def __call__(self, _request: Request, _path: Mapping[str, str]) -> Response:
        self._body = self._body or msgspec.json.encode(document(self._service, secured=self._secured))
        return Response(200, {"Content-Type": "application/json"}, self._body)
