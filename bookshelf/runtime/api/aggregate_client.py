"""Asks an aggregate for handlers, whichever instance owns the partition: here, or by one hop to its owner."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec
from multidict import CIMultiDict

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_message import CommandRefused, can_be_sent_to
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.envelope import NO_TOKEN
from bookshelf.cqrs.errors import Changed, NotFound, Refused
from bookshelf.cqrs.handler import INTERNAL
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import parse_position
from bookshelf.http.message import BytesBody, Request, Response, read_response
from bookshelf.http.problem import Problem
from bookshelf.http.router import Endpoint
from bookshelf.log.port import Record
from bookshelf.runtime.aggregate.command import CommandRequest, content_hashes
from bookshelf.runtime.aggregate.command_messages import Attributes, CommandMessageDecoder, command_message
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.aggregate.read_state import ReadState
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.at_owner import MOVE_S, at_owner, changed_at
from bookshelf.runtime.api.forwarding import Forwarder
from bookshelf.runtime.api.identity import SERVICE, Callers, admit
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.decoding import decoder_of

#: The path of the internal endpoints of aggregates. No OpenAPI document has it, so no gateway routes to it.
PATH = "/internal/aggregates/"
#: The last parts of those paths: a command with conditions, a read, and a read with a fencing token. An owner
#: of a release that heeds no conditions has no such endpoint, so it cannot take a call and overlook them.
CONDITIONAL, STATE, CLAIM = "/conditional", "/state", "/claim"
#: The hash of what a client has sent with the key of a call, from the instance that was asked to the owner.
CONTENT_HASH = "Bookshelf-Content-Hash"
#: Seconds that a call may take.
DEADLINE_S = 30.0
#: The most bytes of a command, and of a result.
MAX_BODY = 1 << 20
_OK, _NO_ENDPOINT, _UNAVAILABLE = 200, 404, 503
_encode = msgspec.json.Encoder().encode


def call_paths(aggregate: str) -> tuple[str, str, str, str]:
    """Return the templates of an aggregate's calls: commands, those with conditions, reads, claims."""
    ask = f"{PATH}{aggregate}/{{id}}"
    return ask, ask + CONDITIONAL, ask + STATE, ask + CLAIM


class CallResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command's result as the owner sends it to the instance that asked: refused, or a `CommandResult`.

    One that was refused as `Changed` has the version that the aggregate is at.
    """

    refused: CommandRefused | None = None
    state: msgspec.Raw = msgspec.Raw(b"null")
    version: int = -1
    position: str = ""
    replayed: bool = False
    change: str = ""


class ReadQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A read of a state: the answer waits up to `wait_s` seconds for a version after `newer_than`."""

    newer_than: int | None = None
    wait_s: float = 0.0


class AggregateClient:
    """Carries out commands on one aggregate, and reads its states, for the handlers of its service."""

    def __init__(
        self,
        host: AggregateHost,
        onward: Forwarder,
        clock: Clock,
        ids: Ids,
        callers: Callers,
        move_s: float = MOVE_S,
    ) -> None:
        self._callers = callers
        self._host = host
        self._onward = onward
        self._move_s = move_s
        self._clock = clock
        self._ids = ids
        self._read_result = msgspec.json.Decoder(CallResult).decode
        self._read_state = msgspec.json.Decoder(type(host.aggregate.initial)).decode

    async def ask(  # noqa: PLR0913 (what a command is asked with)
        self,
        subject: str,
        command: Command,
        *,
        actor: str,
        command_id: str | None = None,
        content: msgspec.Struct | None = None,
        expects: frozenset[int] | None = None,
        token: int = NO_TOKEN,
    ) -> CommandResult:
        """Return the result of a command. Raises `Refused`, `NotOwner`, `Busy`, `LogFault`, `Problem`.

        The aggregate must take the command by topic, else TypeError: its messages are read as those are.
        With `content`, another one with the same id is refused: `KeyReused`. With `expects`, the aggregate
        must have one of these versions: `Changed`. `token`: that of the lease of the sender.
        """
        if not can_be_sent_to(subject):  # it comes from the path of a request
            raise NotFound("there is nothing of this id: an id is 1 to 200 letters, digits, or . _ ~ : @ -")
        made = command_id or self._ids.new()
        now = self._clock.now()
        attributes = Attributes(id=made, source="handler", subject=subject, time=now, actor=actor)
        value = command_message(self._host.aggregate, command, **attributes).value
        sent = CommandRequest(
            subject=subject,
            command=command,
            id=made,
            at=now,
            hash="" if content is None else content_hashes(command.TYPE.encode(), content)[0],
            actor=actor,
            expects=expects,
            size=len(value),
            token=token,
        )

        async def here() -> CommandResult:
            return await self._host.ask(sent)

        headers = _headers_of(sent)
        step = quote(subject, safe="") + (CONDITIONAL if expects is not None or token != NO_TOKEN else "")
        try:
            return await self._call(step, subject, value, here, DEADLINE_S, headers)
        except Changed as changed:
            raise changed_at(self._host, subject, changed) from None

    async def state(
        self,
        subject: str,
        until: Callable[[Any], bool] | None = None,
        patience_s: float = 5.0,
        *,
        token: int | None = None,
    ) -> Any:  # noqa: ANN401 (the aggregate's)
        """Return the state as of the end of the partition.

        With `until`, wait until that is true of it, at most `patience_s` seconds, and return the last one.
        A fenced aggregate records a `token`, and needs one or NO_TOKEN, else ValueError.
        """
        if token is None and self._host.aggregate.fenced:
            what = "name the token of your lease, or NO_TOKEN to show it only"
            msg = f"{self._host.aggregate.name} is fenced: {what}"
            raise ValueError(msg)
        token = NO_TOKEN if token is None else token
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        result = await self._read(subject, ReadQuery(), token)
        while until is not None and not until(result.state) and (left_s := deadline - loop.time()) > 0:
            result = await self._read(subject, ReadQuery(result.version, left_s), token)
        return result.state

    async def _read(self, subject: str, query: ReadQuery, token: int) -> CommandResult:
        async def here() -> CommandResult:
            return await read_here(self._host, subject, query, self._clock, self._ids, token)

        step, headers = quote(subject, safe="") + STATE, {}
        if token != NO_TOKEN:
            step, headers = quote(subject, safe="") + CLAIM, {header_fields.TOKEN: str(token)}
        return await self._call(step, subject, _encode(query), here, query.wait_s + DEADLINE_S, headers)

    async def _call(
        self,
        step: str,
        subject: str,
        content: bytes,
        here: Callable[[], Awaitable[CommandResult]],
        within_s: float,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> CommandResult:
        target = f"{PATH}{self._host.aggregate.name}/{step}"

        async def there(partition: int) -> CommandResult | None:
            headers = CIMultiDict({"Content-Type": "application/json", **more})
            asked = Request("POST", target, headers, BytesBody(content))
            self._callers.sign(SERVICE, asked)
            answer = await self._onward.send(asked, content, self._ids.new(), partition)
            return None if answer is None else await self._result(subject, answer)

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(within_s):
                return await at_owner(
                    self._host, self._onward, len(content), here, there, loop.time() + self._move_s
                )
        except TimeoutError:
            raise Problem("gateway-timeout", "the owner did not answer; try again") from None

    async def _result(self, subject: str, answer: Response) -> CommandResult | None:
        """Return the result; None if the instance has done nothing, and its successor may do it."""
        content = await read_response(answer, MAX_BODY)
        if answer.status in {_UNAVAILABLE, _NO_ENDPOINT}:
            return None
        if answer.status != _OK:
            msg = f"the owner of {self._host.aggregate.name} answered {answer.status}"
            raise Problem("unavailable", msg)
        result = self._read_result(content)
        if result.refused is not None:
            refused = refusal_of(result.refused)
            raise Changed(refused.detail, result.version) if isinstance(refused, Changed) else refused
        position = parse_position(result.position) if result.position else None
        state = self._read_state(result.state)
        return CommandResult(subject, state, result.version, position, result.replayed, result.change)


def _headers_of(sent: CommandRequest) -> dict[str, str]:
    """Return the headers of a call with what a message by topic has no place for."""
    headers = {CONTENT_HASH: sent.hash} if sent.hash else {}
    if sent.token != NO_TOKEN:
        headers[header_fields.TOKEN] = str(sent.token)
    if sent.expects is not None:
        headers["If-Match"] = header_fields.tags_of(sent.expects)
    return headers


async def read_here(
    host: AggregateHost, subject: str, query: ReadQuery, clock: Clock, ids: Ids, token: int
) -> CommandResult:
    """Return a state of a partition that is owned here.

    Raises `StaleToken`, `NotOwner`, `Busy`, `LogFault`.
    """
    deadline = asyncio.get_running_loop().time() + min(query.wait_s, DEADLINE_S)
    while True:
        folded = host.folded_of(subject)
        sent = CommandRequest(subject=subject, command=ReadState(), id=ids.new(), at=clock.now(), token=token)
        result = await host.ask(sent)
        if query.newer_than is None or result.version > query.newer_than:
            return result
        try:
            async with asyncio.timeout_at(deadline):
                await host.folds(subject, folded + 1)
        except TimeoutError:
            return result


class AggregateEndpoint:
    """Answers the calls of other instances for partitions that this one owns; it forwards none."""

    def __init__(self, host: AggregateHost, clock: Clock, ids: Ids, callers: Callers) -> None:
        self._host = host
        self._callers = callers
        self._clock = clock
        self._ids = ids
        self._query = decoder_of(ReadQuery)

    @cached_property
    def _messages(self) -> CommandMessageDecoder:
        return CommandMessageDecoder(self._host.aggregate, self._host.partitions, self._clock)

    def paths(self) -> Iterator[tuple[str, Endpoint]]:
        """Yield the template of each path that is called by POST, and what answers it."""
        ask, conditional, state, claim = call_paths(self._host.aggregate.name)
        yield from ((ask, self.ask), (conditional, self.ask), (state, self.read), (claim, self.read))

    async def read(self, request: Request, path: Mapping[str, str]) -> Response:
        """Answer with a state. Raises `NotOwner`, `Busy`, `LogFault`, `Problem`."""
        admit(self._callers, request, INTERNAL)
        query: ReadQuery = self._query.body(await request.body.read(MAX_BODY))
        token = header_fields.token(request.headers)
        try:
            return _answer(await read_here(self._host, path["id"], query, self._clock, self._ids, token))
        except Refused as refused:
            return _refused(refused)

    async def ask(self, request: Request, path: Mapping[str, str]) -> Response:
        """Carry out a command message. Raises `NotOwner`, `Busy`, `LogFault`, `Problem`."""
        admit(self._callers, request, INTERNAL)
        content = await request.body.read(MAX_BODY)
        partition = self._host.partition(path["id"])
        record = Record(self._host.aggregate.commands, partition, 0, path["id"], content)
        sent, received = self._messages.read(record)
        try:
            if received.refusal is not None:
                raise received.refusal
            # without a hash the id was made for this call, so there is no content to compare
            given = request.headers.get(CONTENT_HASH, "")
            expects = header_fields.expects(request.headers)
            token = header_fields.token(request.headers)
            asked = msgspec.structs.replace(sent, hash=given, older_hash="", expects=expects, token=token)
            return _answer(await self._host.ask(asked))
        except Refused as refused:
            return _refused(refused)


def _refused(refused: Refused) -> Response:
    told = CommandRefused(type=refused.KIND, detail=refused.detail, field=refused.field)
    version = refused.version if isinstance(refused, Changed) else -1
    return _answer(CallResult(refused=told, version=version))


def _answer(result: CommandResult | CallResult) -> Response:
    if isinstance(result, CommandResult):
        result = CallResult(
            state=msgspec.Raw(_encode(result.state)),
            version=result.version,
            position=str(result.position or ""),
            replayed=result.replayed,
            change=result.change,
        )
    return Response(_OK, {"Content-Type": "application/json"}, _encode(result))


def refusal_of(refused: CommandRefused) -> Refused:
    """Return the refusal that another instance has answered with; one of an unknown kind is a `Refused`."""
    kind = next((kind for kind in _kinds(Refused) if refused.type == kind.KIND), Refused)
    return Changed(refused.detail) if kind is Changed else kind(refused.detail, refused.field)


def _kinds(kind: type[Refused]) -> Iterator[type[Refused]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


def client_of(clients: Mapping[str, AggregateClient], aggregate: Aggregate[Any]) -> AggregateClient:
    """Return the client of an aggregate that the service runs. Raises LookupError for any other."""
    if aggregate.name not in clients:
        msg = f"this service does not run {aggregate.name}; add it to its `runs`"
        raise LookupError(msg)
    return clients[aggregate.name]
