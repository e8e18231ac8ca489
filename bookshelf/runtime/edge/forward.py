"""A command that has come to the wrong instance goes on to the owner of its partition, once."""

from typing import Protocol

from bookshelf.discovery.port import Discovery, Instance
from bookshelf.runtime.http.message import Bytes, Request, Response
from bookshelf.runtime.http.problem import Problem
from bookshelf.runtime.http.transport import NoAnswer, Transport, Unreachable
from bookshelf.runtime.owner.command import NotOwner

#: The id that the command was given where it came in, so that it is the same command at its owner.
COMMAND = "Bookshelf-Command"
#: What is said of a command whose answer did not come.
UNKNOWN = "whether this was done is not known yet; send it again with the same Idempotency-Key"
#: A key of an instance's metadata: the partitions that it owns of an aggregate, like `0,3`.
OWNS = "owns-"


def owns(aggregate: str, partitions: frozenset[int]) -> dict[str, str]:
    """Return the metadata by which an instance says what it owns."""
    return {OWNS + aggregate: ",".join(map(str, sorted(partitions)))}


class Onward(Protocol):
    """Whoever knows where else a command can go."""

    async def send(self, request: Request, content: bytes, command_id: str, elsewhere: NotOwner) -> Response:
        """Send it to its owner. Raises `NotOwner` if that is not known, or is moving."""


class Forward:
    """Finds owners in discovery. A command makes one hop at most: who is asked second answers for itself."""

    def __init__(self, aggregate: str, discovery: Discovery, transport: Transport) -> None:
        self._key = OWNS + aggregate
        self._discovery = discovery
        self._transport = transport

    async def send(self, request: Request, content: bytes, command_id: str, elsewhere: NotOwner) -> Response:
        """Send it to its owner. Raises `NotOwner`, `Problem`."""
        owner = None if COMMAND in request.headers else self._owner(elsewhere.partition)
        if owner is None:
            raise elsewhere
        try:
            return await self._transport.send(
                owner.address, owner.port, _once_more(request, content, command_id)
            )
        except Unreachable:
            raise elsewhere from None
        except NoAnswer:
            raise Problem("gateway-timeout", UNKNOWN) from None

    def _owner(self, partition: int) -> Instance | None:
        for instance in self._discovery.snapshot().instances:
            if str(partition) in instance.meta.get(self._key, "").split(","):
                return instance
        return None


def _once_more(request: Request, content: bytes, command_id: str) -> Request:
    headers = request.headers.copy()
    for name in ("Transfer-Encoding", "Connection", "Host"):
        headers.popall(name, None)
    headers["Content-Length"] = str(len(content))
    headers[COMMAND] = command_id
    return Request(request.method, request.target, headers, Bytes(content), request.peer)
