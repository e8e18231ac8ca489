"""Sends the commands of an agent to the service that runs the domain, wherever its owner is."""

from collections.abc import Callable

import msgspec
from multidict import CIMultiDict

from bookshelf.cqrs.command_message import CommandRefused
from bookshelf.cqrs.message import Command
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import NoResponse, Transport, Unreachable
from bookshelf.http.message import BytesBody, Request, read_response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.aggregate_client import refusal_of
from bookshelf.runtime.api.header_fields import MEMBERS
from bookshelf.runtime.api.identity import SERVICE, Callers

_MOST = 1 << 16
_CONFLICT, _REFUSED = 409, 400
_encode = msgspec.json.Encoder().encode


class _ProblemBody(msgspec.Struct):
    type: str = ""
    detail: str = ""


class DomainClient:
    """Sends commands to an instance that has these tags; it asks the owner of the domain if it is another.

    `members` returns how many members the domain has: so many votes are waited for, for a moment.
    """

    def __init__(
        self,
        discovery: Discovery,
        transport: Transport,
        callers: Callers,
        tags: tuple[str, ...],
        path: str,
        members: Callable[[], int] = lambda: 0,
    ) -> None:
        self._discovery = discovery
        self._transport = transport
        self._callers = callers
        self._tags = tags
        self._path = path
        self._members = members

    async def send(self, command_id: str, command: Command) -> None:
        """Have a command carried out. Raises `Refused` if it is declined, `Problem` if none has answered."""
        content = _encode({"type": command.TYPE, "id": command_id, "data": command})
        reason = "no instance is ready"
        for instance in self._discovery.snapshot().having(self._tags):
            headers = CIMultiDict({"Content-Type": "application/json", "Content-Length": str(len(content))})
            if members := self._members():
                headers[MEMBERS] = str(members)
            request = Request("POST", self._path, headers, BytesBody(content))
            self._callers.sign(SERVICE, request)
            try:
                answer = await self._transport.send(instance.address, instance.port, request)
                body = await read_response(answer, _MOST)
            except (Unreachable, NoResponse) as fault:
                reason = str(fault)
                continue
            if answer.status < _REFUSED:
                return
            problem = msgspec.json.decode(body, type=_ProblemBody)
            if answer.status == _CONFLICT:
                raise refusal_of(CommandRefused(type=problem.type.rpartition(":")[2], detail=problem.detail))
            reason = f"{answer.status}: {problem.detail}"
        raise Problem("unavailable", f"{self._path} was not carried out: {reason}")
