"""The directory: follows discovery, loads documents of ready services, finds the route of a request.

Instances whose address is not allowed are left out. The document of each edition is fetched once, and again
after failures, with growing pauses.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import count

import structlog

from bookshelf.discovery.port import Discovery, Instance, Snapshot
from bookshelf.http.client import NoResponse, Transport, Unreachable
from bookshelf.http.message import BrokenBody, TooLarge, read_response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.supervisor import Supervisor
from gateway.routing.catalog import Edition, RouteCatalog
from gateway.routing.document import BadDocument, Document, read
from gateway.routing.rules import Rules
from gateway.upstream.address_policy import AddressPolicy
from gateway.upstream.call import Route
from gateway.upstream.pool import Pools

#: The key of an instance's metadata with the path of its document; an instance without it has no routes.
OPENAPI = "openapi"
#: The most instances, and editions of one service, that are used: more of them point to a broken registry.
_INSTANCES = 10_000
_EDITIONS = 4
_logger = structlog.get_logger(__name__)


class ReadyInstances:
    """The instances of the newest snapshot, without those that the address policy refuses.

    The check is needed because others can write into a registry.
    `refused`: why instances are not used, by id.
    """

    def __init__(self, address_policy: AddressPolicy) -> None:
        self._address_policy = address_policy
        self.has_snapshot = False
        self.instances: tuple[Instance, ...] = ()
        self.refused: dict[str, str] = {}
        self._editions: dict[Edition, list[Instance]] = {}

    def replace(self, snapshot: Snapshot) -> None:
        """Replace the instances by those of a snapshot."""
        self.has_snapshot = True
        given = snapshot.instances[:_INSTANCES]
        troubles = {
            instance.id: trouble
            for instance in given
            if (trouble := self._address_policy.trouble(instance)) is not None
        }
        for name in troubles.keys() - self.refused.keys():
            _logger.warning("instance-refused", instance=name, why=troubles[name])
        self.refused = troubles
        self.instances = tuple(instance for instance in given if instance.id not in troubles)
        self._editions = _editions(self.instances)

    def routed(self) -> list[Instance]:
        """Return the instances that publish an OpenAPI document."""
        return [instance for instances in self._editions.values() for instance in instances]

    def editions(self) -> set[Edition]:
        """Return the editions of these instances."""
        return set(self._editions)

    def of(self, edition: Edition) -> list[Instance]:
        """Return the instances of one edition."""
        return self._editions.get(edition, [])


def _editions(instances: tuple[Instance, ...]) -> dict[Edition, list[Instance]]:
    by_edition: dict[Edition, list[Instance]] = {}
    count: dict[str, int] = {}
    for instance in instances:
        edition = instance.service, instance.meta.get("version", "")
        if OPENAPI not in instance.meta:
            continue
        if edition not in by_edition:
            count[instance.service] = count.get(instance.service, 0) + 1
            if count[instance.service] > _EDITIONS:
                continue
        by_edition.setdefault(edition, []).append(instance)
    return by_edition


#: Accepted paths: without dot segments, escapes, queries, or anything that a proxy could interpret.
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,16}")
#: Seconds for the whole response, and its most bytes.
_PATIENCE_S = 5.0
_MOST = 4 << 20
_LONGEST = 255
_OK = 200


async def fetch_document(transport: Transport, instance: Instance) -> Document:
    """Return the document that an instance serves.

    Raises `BadDocument`, `Unreachable`, `NoResponse`, `BrokenBody`, TimeoutError.
    """
    path = instance.meta.get(OPENAPI, "")
    if len(path) > _LONGEST or _PATH.fullmatch(path) is None:
        raise BadDocument(f"{instance.id} has the document path {path[:_LONGEST]!r}, which is not accepted")
    asked = request("GET", path, Accept="application/json")
    try:
        async with asyncio.timeout(_PATIENCE_S):
            answer = await transport.send(instance.address, instance.port, asked)
            content = await read_response(answer, _MOST)
    except TooLarge as fault:
        raise BadDocument(f"the document has more than {_MOST} bytes") from fault
    if answer.status != _OK:
        raise BadDocument(f"{instance.id} answers GET {path} with status {answer.status}")
    return read(content, instance)


#: Seconds before the first retry, doubled each time up to the last.
_FIRST_S = 0.05
_LAST_S = 5.0
#: Seconds after which a service without a document no longer counts as expected, though attempts go on: until
#: then every unknown path is answered with "unavailable" instead of "no such route".
_HOPELESS_S = 10.0
#: Seconds after which the document of a foreign service is loaded again: it can change without notice.
_AGAIN_S = 30.0
#: The most documents that are loaded at the same time.
_AT_ONCE = 64
_FAULTS = (BadDocument, Unreachable, NoResponse, BrokenBody, TimeoutError)


class DocumentLoader:
    """Runs a task for each edition whose document is missing or may have changed."""

    def __init__(
        self, transport: Transport, known: RouteCatalog, ready: ReadyInstances, note: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._known = known
        self._ready = ready
        self._note = note
        self._asked: set[Edition] = set()
        self._learned: dict[Edition, tuple[frozenset[str], float]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.hopeless: set[Edition] = set()

    def learn(self, tasks: asyncio.TaskGroup) -> None:
        """Start to load the documents of ready editions that are unknown or may have changed."""
        ready = self._ready.editions()
        self.hopeless &= ready
        self._learned = {edition: when for edition, when in self._learned.items() if edition in ready}
        for edition in ready - self._asked:
            if edition not in self._known.editions or self._may_have_changed(edition):
                self._asked.add(edition)
                tasks.create_task(self._learn(edition))

    def _may_have_changed(self, edition: Edition) -> bool:
        """Return True if a document may have changed: ours only with a version, a foreign one at any time."""
        if not any(instance.foreign for instance in self._ready.of(edition)):
            return False
        places, when = self._learned.get(edition, (frozenset(), 0.0))
        return places != self._places_of(edition) or time.monotonic() - when > _AGAIN_S

    def _places_of(self, edition: Edition) -> frozenset[str]:
        return frozenset(
            f"{instance.id} {instance.address} {instance.port}" for instance in self._ready.of(edition)
        )

    async def _learn(self, edition: Edition) -> None:
        wait_s, began = _FIRST_S, time.monotonic()
        try:
            for attempt in count():
                if await self._once(edition, attempt):
                    return
                if edition not in self.hopeless and time.monotonic() - began > _HOPELESS_S:
                    self.hopeless.add(edition)
                    self._note()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LAST_S)
        finally:
            self._asked.discard(edition)
            self._note()

    async def _once(self, edition: Edition, attempt: int) -> bool:
        """Try to load a document; return True if it is loaded, or if the edition has no instance left."""
        instances = self._ready.of(edition)
        if not instances:
            return True
        try:
            await self._ask(edition, attempt)
        except Exception as fault:
            level = logging.DEBUG if attempt else logging.WARNING
            defect = None if isinstance(fault, _FAULTS) else fault
            _logger.log(
                level, "routes-not-learned", service=edition[0], why=str(fault)[:500], exc_info=defect
            )
            return False
        return True

    async def _ask(self, edition: Edition, attempt: int) -> None:
        instances, places = self._ready.of(edition), self._places_of(edition)
        async with self._places:
            document = await fetch_document(self._transport, instances[attempt % len(instances)])
        self._known.learn(edition, document)
        self._learned[edition] = places, time.monotonic()
        self.hopeless.discard(edition)
        _logger.info("routes-learned", service=edition[0], version=edition[1])


#: Seconds between two checks for services that have been absent for too long.
_TEND_S = 5.0


class Directory:
    """Keeps the pools and the route catalog up to date with service discovery."""

    def __init__(
        self,
        discovery: Discovery,
        transport: Transport,
        prefix: str,
        *,
        pools: Pools | None = None,
        address_policy: AddressPolicy | None = None,
    ) -> None:
        self._discovery = discovery
        self._pools = pools or Pools()
        self.known = RouteCatalog(prefix, Rules(), self._pools)
        self._ready = ReadyInstances(address_policy or AddressPolicy())
        self._learner = DocumentLoader(transport, self.known, self._ready, self._note)
        self._settled = asyncio.Event()
        self._supervisor = Supervisor("the gateway's directory")

    @property
    def pools(self) -> Pools:
        """The pools of all ready instances that may be called."""
        return self._pools

    @property
    def document(self) -> bytes:
        """The OpenAPI document of all services that are known."""
        return self.known.document

    @property
    def sites(self) -> str:
        """The roots of all pages, in order, with spaces between."""
        return " ".join(sorted(self.known.table.roots))

    @property
    def can_route(self) -> bool:
        """True once discovery has answered and there is a route."""
        table = self.known.table
        return self._ready.has_snapshot and bool(table.routes or table.roots)

    @property
    def refused_instances(self) -> Mapping[str, str]:
        """The reasons why instances are never called, by instance id."""
        return self._ready.refused

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route of a method and a raw path without prefix and query, and the path's parameters.

        Raises `Problem`: no-route, method, malformed, forbidden. As long as the document of a ready service
        is missing, unavailable replaces the first two, because that service may have the route.
        """
        if self.known.rules.forbid and self.known.rules.forbids(method, path):
            raise Problem("forbidden", "this route is closed at this gateway")
        try:
            route, _, parameters = self.known.table.router.find(method, path)
        except Problem as fault:
            missing = None if fault.kind == "malformed" else self.missing()
            if missing is None:
                raise
            raise Problem("unavailable", missing) from None
        return route, parameters

    def find_page(self, path: str) -> Route | None:
        """Return the route of the pages that a raw path is among; None if no service has declared its root.

        Raises `Problem`: unavailable, as long as the document of a ready service is missing.
        """
        route = self.known.table.page_route(path)
        if route is None and (unknown := self._unknown()):
            raise Problem("unavailable", _unknown_text(unknown))
        return route

    def missing(self) -> str | None:
        """Return a message on what is not known yet; None if everything is known."""
        if not self._ready.has_snapshot:
            return "discovery has not answered yet"
        if unknown := self._unknown():
            return _unknown_text(unknown)
        return None if self.known.table.routes else "no service is ready yet"

    def apply_rules(self, rules: Rules) -> None:
        """Apply other rules, at once."""
        self.known.apply_rules(rules)

    async def run(self) -> None:
        """Follow discovery until cancelled; an error is logged and followed by another attempt."""
        async with asyncio.TaskGroup() as tasks:  # loading of documents goes on after an error of discovery
            tasks.create_task(self._tend(tasks))
            await self._supervisor.keep(lambda: self._follow(tasks))

    async def settled(self) -> None:
        """Wait until discovery has answered and every service that is ready is known."""
        await self._settled.wait()

    async def _follow(self, learners: asyncio.TaskGroup) -> None:
        async for snapshot in self._discovery.watch():
            self._supervisor.note_progress()
            self._ready.replace(snapshot)
            self._pools.update(Snapshot(self._ready.instances))
            self.known.record(self._ready.routed(), time.monotonic())
            self._note()
            self._learner.learn(learners)
        raise RuntimeError("discovery has ended its watch")

    def _note(self) -> None:
        self.known.forget_former(self._ready.editions())
        if self._unknown():
            self._settled.clear()
        else:
            self._settled.set()

    def _unknown(self) -> set[str]:
        unlearned = {service for service, _ in self._ready.editions() - self._learner.hopeless}
        return unlearned - self.known.services

    async def _tend(self, learners: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(_TEND_S)
            self.known.forget_gone(time.monotonic())
            self._learner.learn(learners)


def _unknown_text(services: Iterable[str]) -> str:
    return f"what these services serve is not known yet: {', '.join(sorted(services))}"
