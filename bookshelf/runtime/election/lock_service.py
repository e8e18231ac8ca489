"""Talks to the service `locks`, which discovery finds: commands, and the stream of what is held."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote

import msgspec
import structlog

from bookshelf.concurrency import Latest
from bookshelf.cqrs.position import parse_position
from bookshelf.discovery.port import Discovery, Instance
from bookshelf.http.client import NoResponse, Transport, Unreachable
from bookshelf.http.message import (
    BrokenBody,
    Request,
    Response,
    TooLarge,
    close_body,
    pieces_of,
    read_response,
    request,
)
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.identity import SERVICE, Callers
from bookshelf.runtime.election.port import ElectionFault, HeldLock

SERVICE_NAME, TAGS = "locks", ("cluster", "locks")
#: Seconds that an attempt of a command may take, and between two attempts.
_TRY_S, _PAUSE_S = 2.0, 0.1
#: Seconds without anything from a stream, which sends a comment every 15 s, until another one is opened.
_SILENCE_S = 20.0
#: Seconds after a fault of a stream until the next one is opened: doubled from the first to the last.
_AGAIN_S, _LAST_S = 0.05, 1.0
#: The most bytes of an answer, and of one message of a stream.
_MOST = 4 << 20
_OK, _CONFLICT = 200, 409
_logger = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(list[HeldLock]).decode
_encode = msgspec.json.Encoder().encode
_FAULTS = (Unreachable, NoResponse, BrokenBody, TooLarge, TimeoutError)


class LockService:
    """Asks any ready instance of `locks`; one that another program has registered is never asked."""

    def __init__(self, discovery: Discovery, transport: Transport, callers: Callers) -> None:
        self._discovery = discovery
        self._transport = transport
        self._callers = callers

    async def command(
        self, name: str, step: str, body: Mapping[str, object], key: str, end: float
    ) -> int | None:
        """Carry out a command on a lock; return the offset of its record, None if it is refused.

        It is sent again until `end`, in seconds of the event loop's clock; `key` makes that safe. Raises
        `ElectionFault`.
        """
        clock, why, number = asyncio.get_running_loop().time, "there was no time left", 0
        content = _encode(body)
        while clock() < end:
            instances = self._instances()
            why = why if instances else "no instance of locks is ready"
            if instances:
                instance = instances[number % len(instances)]
                asked = request(
                    "POST",
                    f"/cluster/locks/{quote(name, safe='')}/{step}",
                    content,
                    Content_Type="application/json",
                    Idempotency_Key=key,
                )
                try:
                    async with asyncio.timeout(min(_TRY_S, end - clock())):
                        answer = await self._send(instance, asked)
                        text = await read_response(answer, _MOST)
                except _FAULTS as fault:
                    why = str(fault) or "no answer in time"
                else:
                    if answer.status == _CONFLICT:
                        return None
                    if answer.status == _OK:
                        return _offset(answer)
                    why = f"locks answered {answer.status}: {text[:200]!r}"
                number += 1
            await asyncio.sleep(min(_PAUSE_S, max(0.0, end - clock())))
        raise ElectionFault(why)

    async def stream(self) -> AsyncIterator[tuple[HeldLock, ...]]:
        """Yield the locks that are held, then again whenever they change, until the stream breaks off.

        Raises `ElectionFault`.
        """
        instances = self._instances()
        if not instances:
            raise ElectionFault("no instance of locks is ready")
        instance = instances[int(asyncio.get_running_loop().time() * 1000) % len(instances)]
        try:
            async with asyncio.timeout(_TRY_S):
                answer = await self._send(instance, request("GET", "/cluster/locks/events"))
            if answer.status != _OK:
                await close_body(answer.body)
                raise ElectionFault(f"{instance.id} answered {answer.status}")
            async for data in _messages(answer):
                yield tuple(_decode(data))
        except (*_FAULTS, msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise ElectionFault(str(fault) or "no answer in time") from fault

    @property
    def is_there(self) -> bool:
        """True if an instance is ready."""
        return bool(self._instances())

    def _instances(self) -> Sequence[Instance]:
        return [
            instance
            for instance in self._discovery.snapshot().having(TAGS)
            if instance.service == SERVICE_NAME
        ]

    async def _send(self, instance: Instance, asked: Request) -> Response:
        self._callers.sign(SERVICE, asked)
        return await self._transport.send(instance.address, instance.port, asked)


def _offset(answer: Response) -> int:
    position = answer.headers.get(header_fields.POSITION)
    if position is None:
        raise ElectionFault("locks gave no position; it is of another version")
    return parse_position(position).offset


async def _messages(answer: Response) -> AsyncIterator[bytes]:
    """Yield the data of each message of a stream of server-sent events. Raises `BrokenBody`, TimeoutError."""
    pieces = pieces_of(answer)
    pending = b""
    try:
        while True:
            async with asyncio.timeout(_SILENCE_S):
                piece = await anext(pieces, None)
            if piece is None:
                return
            *messages, pending = (pending + piece).split(b"\n\n")
            if len(pending) > _MOST:
                raise TooLarge(_MOST)
            for message in messages:
                for line in message.split(b"\n"):
                    if line.startswith(b"data: "):
                        yield line.removeprefix(b"data: ")
    finally:
        await pieces.aclose()  # type: ignore[attr-defined] # a generator


class HeldLocks:
    """Follows which locks are held, for the readers in this process; what it knows can be late.

    `is_current`: the stream is open. While it is not, the locks are those that were known last.
    """

    def __init__(self, service: LockService) -> None:
        self._service = service
        self.latest: Latest[Mapping[str, HeldLock]] = Latest()
        self.is_current = False

    @property
    def now(self) -> Mapping[str, HeldLock]:
        """The locks that are held, by name."""
        return self.latest.now if self.latest.now is not None else MappingProxyType({})

    async def run(self) -> None:
        """Follow the locks until cancelled."""
        pause_s = _AGAIN_S
        while True:
            try:
                async for held in self._service.stream():
                    if not self.is_current:
                        self.is_current = True
                        _logger.info("locks-followed")
                    self.latest.put({lock.name: lock for lock in held})
                    pause_s = _AGAIN_S
            except ElectionFault as fault:
                if self.is_current:
                    _logger.warning("locks-not-followed", why=str(fault))
            self.is_current = False
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_S)
