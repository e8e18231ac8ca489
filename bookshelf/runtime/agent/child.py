"""The process of a service group: it loads its services, and runs and suspends them as its node asks.

Node and child exchange lines of JSON over a socket. The child registers nothing itself: it reports to the
node what its services would register. It ends when the node does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal

import msgspec
import structlog

from bookshelf.cqrs.session_route import all_excluded
from bookshelf.discovery.port import Discovery, Instance, Snapshot
from bookshelf.runtime.api.aggregate_client import call_paths
from bookshelf.runtime.service import ServiceHost

_logger = structlog.get_logger(__name__)
#: The most bytes of a line.
LINE_BYTES = 8 << 20


class ChildService(msgspec.Struct, frozen=True):
    """A service of the group: its name, its tags, its routes, and the paths of calls between instances.

    `scope` and `exclude` are those of its sessions; empty without any.
    """

    name: str
    tags: tuple[str, ...]
    routes: tuple[tuple[str, str], ...]
    internal: tuple[tuple[str, str], ...] = ()
    scope: str = ""
    exclude: Mapping[str, tuple[str, ...]] = {}


class NodeCommand(msgspec.Struct, frozen=True):
    """What a node asks of a child."""

    do: Literal["activate", "suspend"]


class ChildReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a child reports: its state, or what one of its services registers.

    `why`: the reason of a refusal. `fault`: that of the instance with the `id`.
    """

    event: Literal["loaded", "active", "suspended", "refused", "registered", "reported", "deregistered"]
    services: tuple[ChildService, ...] = ()
    instance: Instance | None = None
    id: str = ""
    fault: str | None = None
    why: str = ""


Report = Callable[[ChildReport], None]


class ReportedDiscovery:
    """Discovery for a child: it finds others as usual, and what is registered is reported to the node."""

    def __init__(self, inner: Discovery, report: Report) -> None:
        self._inner = inner
        self._report = report

    async def register(self, instance: Instance) -> None:
        """Report an instance, which the node registers."""
        self._report(ChildReport("registered", instance=instance, id=instance.id))

    async def report(self, instance_id: str, fault: str | None) -> None:
        """Report the health of an instance."""
        self._report(ChildReport("reported", id=instance_id, fault=fault))

    async def deregister(self, instance_id: str) -> None:
        """Report that an instance is no more there."""
        self._report(ChildReport("deregistered", id=instance_id))

    def snapshot(self) -> Snapshot:
        """Return the ready instances."""
        return self._inner.snapshot()

    def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the current snapshot, then each newer one."""
        return self._inner.watch()


class ChildServices:
    """The services of a group in this process: loaded at first, then active or suspended.

    `make` makes the hosts of the services, which have not started. A suspended service has replayed its
    views, owns no partition, and is registered nowhere.
    """

    def __init__(self, make: Callable[[], Sequence[ServiceHost]], report: Report) -> None:
        self._make = make
        self._report = report
        self._hosts: Sequence[ServiceHost] = ()
        self._is_active = False

    async def load(self) -> None:
        """Get the services ready. Raises what a service raises."""
        self._hosts = self._make()
        for host in self._hosts:
            await host.prepare()
        self._report(ChildReport("loaded", tuple(map(_described, self._hosts))))

    async def obey(self, commands: AsyncIterator[NodeCommand]) -> None:
        """Carry out commands until there are no more of them."""
        async for command in commands:
            try:
                await (self._activate() if command.do == "activate" else self._suspend())
            except Exception as fault:
                _logger.exception("service-group-failed", command=command.do)
                self._report(ChildReport("refused", why=f"{type(fault).__name__}: {fault}"[:1000]))

    async def _activate(self) -> None:
        if not self._is_active:
            self._is_active = True
            for host in self._hosts:
                await host.start()
        self._report(ChildReport("active"))

    async def _suspend(self) -> None:
        if self._is_active:
            self._is_active = False
            await self.stop()
            self._hosts = self._make()
            for host in self._hosts:
                await host.prepare()
        self._report(ChildReport("suspended"))

    async def stop(self) -> None:
        """Stop the services."""
        hosts, self._hosts = self._hosts, ()
        for host in reversed(hosts):
            await host.stop()


def _described(host: ServiceHost) -> ChildService:
    service = host.service
    routes = tuple((route.method, route.path) for route in service.serves)
    internal = [path for name in host.aggregates for path in call_paths(name)]
    return ChildService(
        service.name,
        service.tags,
        routes,
        tuple(("POST", path) for path in internal),
        scope=", ".join(sorted({one.scope for one in host.sessions})),
        exclude=all_excluded(host.sessions),
    )


class NodeLine:
    """The child's end of the socket to its node."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def report(self, report: ChildReport) -> None:
        """Send a report to the node."""
        self._writer.write(msgspec.json.encode(report) + b"\n")

    async def commands(self) -> AsyncIterator[NodeCommand]:
        """Yield the node's commands until the node ends, or closes the socket."""
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                yield msgspec.json.decode(line, type=NodeCommand)

    async def close(self) -> None:
        """Send what is left, and close the socket."""
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        self._writer.close()
