"""The endpoint of a handler route: what runs around the handler, and the ports that it gets.

In this order, and back in reverse: limits (bytes, deadline); identity; scopes of the route; the service's
middleware; the route's middleware; the handler, which decodes the body.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from bookshelf.concurrency import until_set
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.envelope import NO_TOKEN
from bookshelf.cqrs.handler import Caller, HandlerRoute, Middleware, Next, RequestContext
from bookshelf.cqrs.message import Command, State
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.view import View
from bookshelf.http.message import Body, Handler, Request, Response, TooLarge, close_body, gather
from bookshelf.http.problem import Problem
from bookshelf.keyring.port import KeyStore
from bookshelf.media.port import BlobStore, Pictures
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.aggregate_client import AggregateClient, client_of
from bookshelf.runtime.api.forwarding import UNKNOWN
from bookshelf.runtime.api.identity import ApiOfCaller, Callers, admit
from bookshelf.runtime.election.candidate import PrimaryCandidate
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.view.host import ViewHost
from bookshelf.runtime.view.revision_cache import RevisionCache

#: The most answers of queries with a key that are kept; they are small.
_KEPT = 4096
#: Seconds until a response must begin.
DEADLINE_S = 30.0
T = TypeVar("T")
S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """The ports of one service's handlers (`HandlerPorts`)."""

    _service: str
    _infrastructure: Infrastructure
    _views: Mapping[str, ViewHost]
    _aggregates: Mapping[str, AggregateClient] = field(default_factory=dict)
    candidate: PrimaryCandidate | None = None
    _kept: RevisionCache[Any] = field(default_factory=lambda: RevisionCache(_KEPT))

    def api(self, caller: Caller) -> Handler:
        """Return what answers requests of the whole HTTP API for a caller."""
        return ApiOfCaller(self._infrastructure.api, self._infrastructure.callers, caller)

    @property
    def blobs(self) -> BlobStore:
        """Stores files by their content."""
        return self._infrastructure.blobs

    @property
    def pictures(self) -> Pictures:
        """Converts uploaded pictures."""
        return self._infrastructure.pictures

    @property
    def keyring(self) -> KeyStore:
        """Keeps secrets by id. Raises `KeyringFault` if this process has no keyring."""
        return self._infrastructure.seals.required()

    async def secret(self, key_id: str) -> bytes:
        """Return a secret of the service. Raises `KeyringFault`, `KeyDestroyed`."""
        return await self._infrastructure.seals.secret(key_id)

    async def seal(self, person: str, field: str, text: str) -> str:
        """Return a text sealed as a field with a person's key. Raises `KeyringFault`, `KeyDestroyed`."""
        return (await self._infrastructure.seals.cipher(person)).seal(field, text)

    async def open(self, text: str, field: str) -> str | None:
        """Return the plain text of a text, sealed or plain; None if its key was destroyed.

        Raises `KeyringFault`, `SealBroken`.
        """
        return await self._infrastructure.seals.open(text, field)

    async def forget(self, *persons: str) -> None:
        """Destroy the keys of persons. Raises `KeyringFault`."""
        await self._infrastructure.seals.forget(*persons)

    @property
    def folder(self) -> str:
        """The folder for the service's own files."""
        return str(self._infrastructure.folder / self._service)

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        return self._infrastructure.clock.now()

    def new_id(self) -> str:
        """Return a unique id."""
        return self._infrastructure.ids.new()

    def lease(self, name: str, ttl_s: float = 30.0) -> AbstractAsyncContextManager[int]:
        """Return what holds a lock of the domain for a block; its value is the fencing token."""
        return self._infrastructure.locks.acquire(name, ttl_s)

    @property
    def primary_token(self) -> int | None:
        """The fencing token of this instance while it is the primary of its group, else None."""
        return None if self.candidate is None else self.candidate.token

    async def ask(  # noqa: PLR0913 (as declared)
        self,
        aggregate: Aggregate[Any],
        subject: str,
        command: Command,
        *,
        actor: str = "reader",
        command_id: str | None = None,
        content: msgspec.Struct | None = None,
        expects: frozenset[int] | None = None,
        token: int = NO_TOKEN,
    ) -> CommandResult:
        """Return the result of a command. Raises `Refused`, `NotOwner`, `Busy`, `LogFault`, `Problem`."""
        client = client_of(self._aggregates, aggregate)
        return await client.ask(
            subject,
            command,
            actor=actor,
            command_id=command_id,
            content=content,
            expects=expects,
            token=token,
        )

    async def state(
        self,
        aggregate: Aggregate[S],
        subject: str,
        until: Callable[[S], bool] | None = None,
        patience_s: float = 5.0,
        *,
        token: int | None = None,
    ) -> S:
        """Return a state as of the end of its partition.

        Raises `StaleToken`, `NotOwner`, `Busy`, `LogFault`, `Problem`; ValueError without a token if it needs
        one.
        """
        client = client_of(self._aggregates, aggregate)
        state: S = await client.state(subject, until, patience_s, token=token)
        return state

    async def query(
        self,
        view: View,
        function: Callable[[Any], T],
        after: Iterable[Position] = (),
        *,
        to_end: bool = False,
        key: Hashable | None = None,
    ) -> T:
        """Return what the function returns for the view's rows, or has returned for them with this key.

        Raises `NotCaughtUp`, `LogFault`, `StorageFault`.
        """
        host = self._views[view.name]
        if to_end:
            await host.reach_end()
        if after:
            await host.after(after)
        if key is None or host.shared:  # of shared rows, the revision would cost a statement too
            return await _queried(host, function)
        found: T = await self._kept.get((view.name, key), host.revision, lambda: _queried(host, function))
        return found


async def _queried(host: ViewHost, function: Callable[[Any], T]) -> T:
    answer: T = await host.query(function)
    return answer


class HandlerEndpoint:
    """Answers the requests of one handler route. Streams of events end at `close`."""

    def __init__(
        self,
        route: HandlerRoute,
        ports: ServicePorts,
        callers: Callers,
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self._route = route
        self._ports = ports
        self._middleware = (*middleware, *route.middleware)
        self._callers = callers
        self._leaving = asyncio.Event()

    def close(self) -> None:
        """End all streams of events: their clients connect again, to another instance."""
        self._leaving.set()

    async def __call__(self, request: Request, path: Mapping[str, str]) -> Response:
        """Return the handler's response. Raises `Problem`, or what the handler raises."""
        route = self._route
        left_s = header_fields.time_left(request.headers, route.deadline_s or DEADLINE_S)
        _check_length(request, route.body_bytes)
        request.body = body = LimitedBody(request.body, route.body_bytes)
        if header_fields.REFUSED in request.headers:
            raise Problem("cross-origin", "a page of another site has sent this; nothing was done")
        caller = admit(self._callers, request, route.requires)
        context = RequestContext(at=self._ports.now(), caller=caller, path=dict(path))
        try:
            async with asyncio.timeout(left_s) as deadline:
                body.put_off(deadline, left_s)
                response = await self._around(context)(request)
        except TimeoutError:
            raise Problem("gateway-timeout", UNKNOWN) from None
        finally:
            body.put_off(None, 0.0)
        if not isinstance(response.body, bytes) and _is_event_stream(response):
            response.body = self._until_closed(response.body)
        return response

    def _around(self, context: RequestContext) -> Next:
        async def innermost(request: Request) -> Response:
            return await self._route.handler(request, context, self._ports)

        chain: Next = innermost
        for middleware in reversed(self._middleware):
            chain = partial(_pass, middleware, context, chain)
        return chain

    async def _until_closed(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async with aclosing(until_set(pieces, self._leaving)) as left:
                async for piece in left:
                    yield piece
        finally:
            await close_body(pieces)


async def _pass(middleware: Middleware, context: RequestContext, onward: Next, request: Request) -> Response:
    return await middleware(request, context, onward)


def _check_length(request: Request, most: int) -> None:
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > most:
        raise TooLarge(most)


def _is_event_stream(response: Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/event-stream")


class LimitedBody:
    """A request's body of at most `most` bytes."""

    def __init__(self, body: Body, most: int) -> None:
        self._body = body
        self._most = most
        self._deadline: asyncio.Timeout | None = None
        self._left_s = 0.0

    def put_off(self, deadline: asyncio.Timeout | None, left_s: float) -> None:
        """Let each piece move this deadline to `left_s` seconds from then."""
        self._deadline = deadline
        self._left_s = left_s

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises `TooLarge`, `BrokenBody`."""
        return await gather(self.stream(), limit)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece. Raises `TooLarge`, `BrokenBody`."""
        size = 0
        async for piece in self._body.stream():
            size += len(piece)
            if size > self._most:
                raise TooLarge(self._most)
            if self._deadline is not None and not self._deadline.expired():
                self._deadline.reschedule(asyncio.get_running_loop().time() + self._left_s)
            yield piece
