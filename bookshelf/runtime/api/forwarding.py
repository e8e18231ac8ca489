"""A command that has come to the wrong instance goes on to the owner of its partition, once."""

import re
from collections.abc import Iterable
from typing import Protocol

from bookshelf.discovery.port import Discovery, Instance
from bookshelf.http.client.transport import NoResponse, Transport, Unreachable
from bookshelf.http.message import BytesBody, Headers, Request, Response, close_body
from bookshelf.http.problem import Fault, Problem
from bookshelf.runtime.aggregate.command import NotOwner
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.ownership import owned

#: The id that the command was given where it came in, so that it is the same command at its owner.
COMMAND = "Bookshelf-Command"
_MADE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
#: What is said of a command whose answer did not come.
UNKNOWN = "whether this was done is not known yet; send it again with the same Idempotency-Key"
#: What an instance answers that has done nothing; how many are asked before the client hears that.
_UNAVAILABLE = 503
_TRIES = 3


def forwarded_id(headers: Headers) -> str | None:
    """Return the id that another instance has given the command; None if it comes from a client.

    Anyone can send the header, and gains nothing by it (docs/decisions/0013). Only the ids that edges make
    are taken, UUIDs of version 7: never one of a deadline, nor a key that a client has made up from words.
    Raises `Problem`.
    """
    given = headers.get(COMMAND)
    if given is None or _MADE.fullmatch(given):
        return given
    said = "is for services among themselves: leave it out, and send an Idempotency-Key"
    raise Problem("malformed", f"{COMMAND} {said}", Fault(said, header=COMMAND))


class Forwarder(Protocol):
    """Whoever knows where else a command can go."""

    async def send(self, request: Request, content: bytes, command_id: str, elsewhere: NotOwner) -> Response:
        """Send it to its owner. Raises `NotOwner` if that is not known, or is moving."""


class OwnerForwarder:
    """Finds owners in discovery. A command makes one hop at most: who is asked second answers for itself."""

    def __init__(self, aggregate: str, discovery: Discovery, transport: Transport) -> None:
        self._aggregate = aggregate
        self._discovery = discovery
        self._transport = transport

    async def send(self, request: Request, content: bytes, command_id: str, elsewhere: NotOwner) -> Response:
        """Send it to its owner; while it moves two may say that they are. Raises `NotOwner`, `Problem`."""
        refused: Response | None = None
        for owner in () if COMMAND in request.headers else self._owners(elsewhere.partition):
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
        if refused is None:
            raise elsewhere
        return refused

    def _owners(self, partition: int) -> Iterable[Instance]:
        """Return who says that the partition is theirs; whoever has died may go on saying so for a while."""
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
