"""Asks an aggregate that another service runs: each call goes to the owner of its partition."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec
from multidict import CIMultiDict

from bookshelf.concurrency import first_of
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.message import Command, State
from bookshelf.cqrs.position import parse_position
from bookshelf.http.message import BytesBody, Request, Response, close_body, read_response
from bookshelf.http.problem import Problem
from bookshelf.log.port import Log, partition_of
from bookshelf.runtime.aggregate.command_messages import Attributes, command_message
from bookshelf.runtime.api.aggregate_client import (
    CONTENT_HASH,
    MAX_BODY,
    PATH,
    CallResult,
    ReadQuery,
    refusal_of,
)
from bookshelf.runtime.api.forwarding import Forwarder
from bookshelf.runtime.api.identity import SERVICE, Callers
from bookshelf.runtime.clock import Clock, Ids

#: Seconds for which a call waits for an owner: on Kafka a lost one has a successor after about 6.
OWNER_S = 9.0
#: Seconds between two attempts while discovery reports no change.
_AGAIN_S = 0.1
_OK, _UNAVAILABLE = 200, 503
S = TypeVar("S", bound=State)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class CallPorts:
    """What calls of aggregates in other processes use."""

    log: Log
    clock: Clock
    ids: Ids
    callers: Callers


class RemoteAggregate(Generic[S]):
    """Carries out commands on an aggregate, and reads its states, in a process that does not run it.

    A call whose outcome is unknown is sent again with the same id, so the command is carried out once.
    """

    def __init__(
        self, aggregate: Aggregate[S], onward: Forwarder, ports: CallPorts, owner_s: float = OWNER_S
    ) -> None:
        self.aggregate = aggregate
        self._onward = onward
        self._ports = ports
        self._owner_s = owner_s
        self._read_result = msgspec.json.Decoder(CallResult).decode
        self._read_state = msgspec.json.Decoder(type(aggregate.initial)).decode

    async def ask(
        self,
        subject: str,
        command: Command,
        *,
        actor: str = "service",
        command_id: str | None = None,
        content_hash: str = "",
    ) -> CommandResult:
        """Return the result of a command, which must be in the aggregate's `takes`.

        With a `content_hash`, another one with the same `command_id` is refused: `KeyReused`. Raises
        `Refused`, and `Problem` (unavailable) if no owner answers.
        """
        made = command_id or self._ports.ids.new()
        attributes = Attributes(
            id=made, source="handler", subject=subject, time=self._ports.clock.now(), actor=actor
        )
        value = command_message(self.aggregate, command, **attributes).value
        headers = {CONTENT_HASH: content_hash} if content_hash else {}
        return await self._call(quote(subject, safe=""), subject, value, headers)

    async def state(self, subject: str) -> S:
        """Return a state as of the end of its partition. Raises `Problem`."""
        result = await self._call(f"{quote(subject, safe='')}/state", subject, _encode(ReadQuery()), {})
        state: S = result.state
        return state

    async def _call(self, step: str, subject: str, content: bytes, more: Mapping[str, str]) -> CommandResult:
        partition = partition_of(subject, self._ports.log.partitions(self.aggregate.topic))
        loop = asyncio.get_running_loop()
        until = loop.time() + self._owner_s
        while True:
            instances = self._onward.instances
            answer = await self._send(step, content, more, partition)
            if answer is not None and answer.status != _UNAVAILABLE:
                return await self._result(subject, answer)
            if answer is not None:
                await close_body(answer.body)
            if loop.time() >= until:
                msg = f"no owner of {self.aggregate.name} answers; try again"
                raise Problem("unavailable", msg)
            await first_of((self._onward.moved(instances),), min(until, loop.time() + _AGAIN_S))

    async def _send(
        self, step: str, content: bytes, more: Mapping[str, str], partition: int
    ) -> Response | None:
        """Return the owner's answer; None if there is none, or it is not known what was done."""
        headers = CIMultiDict({"Content-Type": "application/json", **more})
        request = Request("POST", f"{PATH}{self.aggregate.name}/{step}", headers, BytesBody(content))
        self._ports.callers.sign(SERVICE, request)
        try:
            return await self._onward.send(request, content, self._ports.ids.new(), partition)
        except Problem as problem:
            if problem.kind != "gateway-timeout":
                raise
            return None

    async def _result(self, subject: str, answer: Response) -> CommandResult:
        content = await read_response(answer, MAX_BODY)
        if answer.status != _OK:
            msg = f"the owner of {self.aggregate.name} answered {answer.status}"
            raise Problem("unavailable", msg)
        result = self._read_result(content)
        if result.refused is not None:
            raise refusal_of(result.refused)
        position = parse_position(result.position) if result.position else None
        state = self._read_state(result.state)
        return CommandResult(subject, state, result.version, position, result.replayed, result.change)
