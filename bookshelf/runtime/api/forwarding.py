"""Forwards a command that arrived at the wrong instance to the owner of its partition, once."""

import re
from collections.abc import Iterable
from typing import Protocol

from bookshelf.discovery.port import Discovery, Instance, Snapshot
from bookshelf.http.client import NoResponse, Transport, Unreachable
from bookshelf.http.message import BytesBody, Headers, Request, Response, close_body
from bookshelf.http.problem import Fault, Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.ownership import owned

#: The header with the id that the first instance gave the command, so that its owner uses the same.
COMMAND = "Bookshelf-Command"
_MADE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
#: The detail of the problem for a command whose answer did not come.
UNKNOWN = "whether this was done is not known yet; send it again with the same Idempotency-Key"
#: The status of an instance that has done nothing, and how many instances are tried in total.
_UNAVAILABLE = 503
_TRIES = 3


def forwarded_id(headers: Headers) -> str | None:
    """Return the id that another instance has given the command; None if it comes from a client.

    Any client can send the header, and gains nothing by it (docs/decisions/0013). Only ids as instances make
    them are accepted, UUIDs of version 7: no id of a deadline, and no key of a client's own making.
    Raises `Problem`.
    """
    given = headers.get(COMMAND)
    if given is None or _MADE.fullmatch(given):
        return given
    detail = "is for services among themselves: leave it out, and send an Idempotency-Key"
    raise Problem("malformed", f"{COMMAND} {detail}", Fault(detail, header=COMMAND))


class Forwarder(Protocol):
    """Sends a command to the instance that owns its partition."""

    @property
    def instances(self) -> Snapshot:
        """The instances that are known now."""

    async def moved(self, known: Snapshot) -> None:
        """Return once other instances are known, or they own other partitions."""

    async def send(
        self, request: Request, content: bytes, command_id: str, partition: int
    ) -> Response | None:
        """Send a command to its owner; return None if none is known, or none owns the partition any more."""


class OwnerForwarder:
    """Finds owners in discovery. A command is forwarded once at most: the second instance answers itself."""

    def __init__(self, aggregate: str, discovery: Discovery, transport: Transport) -> None:
        self._aggregate = aggregate
        self._discovery = discovery
        self._transport = transport

    @property
    def instances(self) -> Snapshot:
        """The ready instances that discovery knows now."""
        return self._discovery.snapshot()

    async def moved(self, known: Snapshot) -> None:
        """Return once discovery knows other instances, or they own other partitions."""
        async for newer in self._discovery.watch():
            if newer != known:
                return

    async def send(
        self, request: Request, content: bytes, command_id: str, partition: int
    ) -> Response | None:
        """Send a command to the instances that claim the partition, in turn. Raises `Problem`.

        What an instance answers that has lost the partition is no answer: its successor will come.
        """
        refused: Response | None = None
        for owner in () if COMMAND in request.headers else self._owners(partition):
            if refused is not None:
                await close_body(refused.body)
            try:
                refused = await self._transport.send(
                    owner.address, owner.port, _once_more(request, content, command_id)
                )
            except Unreachable:
                continue
            except NoResponse:
                raise header_fields.outcome_unknown(request.headers, command_id) from None
            if refused.status != _UNAVAILABLE:
                return refused
        if refused is None or header_fields.MOVING not in refused.headers:
            return refused
        await close_body(refused.body)
        return None

    def _owners(self, partition: int) -> Iterable[Instance]:
        """Return the instances that claim the partition: two while it moves, or one that has just died."""
        return [
            instance
            for instance in self._discovery.snapshot().instances
            if partition in owned(instance.meta, self._aggregate)
        ][:_TRIES]


def _once_more(request: Request, content: bytes, command_id: str) -> Request:
    headers = request.headers.copy()
    for name in ("Transfer-Encoding", "Connection", "Host", "Origin", "Sec-Fetch-Site"):
        headers.popall(name, None)
    headers["Content-Length"] = str(len(content))
    headers[COMMAND] = command_id
    return Request(request.method, request.target, headers, BytesBody(content), request.peer)
