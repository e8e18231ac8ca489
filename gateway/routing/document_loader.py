"""Fetches the document of each edition once, and retries after failures with growing pauses."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from itertools import count

import structlog

from bookshelf.discovery.port import Instance
from bookshelf.http.client.transport import NoResponse, Transport, Unreachable
from bookshelf.http.message import BrokenBody, TooLarge, read_response, request
from gateway.routing.catalog import Edition, RouteCatalog
from gateway.routing.document import BadDocument, Document, read
from gateway.routing.instances import OPENAPI, ReadyInstances

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
_logger = structlog.get_logger(__name__)


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
