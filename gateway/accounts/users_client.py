"""Calls the service `users`, which discovery finds, with the signature of our own processes."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from bookshelf.http.client import NoResponse, Transport, Unreachable
from bookshelf.http.message import BrokenBody, Request, Response, TooLarge, read_response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.identity import SERVICE, Callers
from gateway.upstream.call import Route
from gateway.upstream.pool import Pools
from gateway.upstream.proxy import Proxy

SERVICE_NAME, TAGS = "users", ("accounts", "users")
#: Seconds in which a token must be answered, and in which a long poll must be: the service waits up to 5 s.
_ANSWER_S, _POLL_S = 5.0, 10.0
_MOST = 4 << 20
_OK, _UNAUTHENTICATED = 200, 401


class UsersFault(Exception):
    """The service `users` cannot be reached, or gave no usable answer."""


class Revoked(msgspec.Struct, frozen=True):
    """Sessions that are over, the least valid epochs of accounts, and how far that was read."""

    after: str
    sessions: list[str]
    epochs: dict[str, int]


class _Exchanged(msgspec.Struct, frozen=True):
    access_token: str


class UsersClient:
    """Asks any ready instance of `users`; one that another program has registered is never asked."""

    def __init__(
        self,
        pools: Pools,
        proxy: Proxy,
        transport: Transport,
        callers: Callers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._route = Route(
            template=SERVICE_NAME,
            pool=pools.of(TAGS, SERVICE_NAME, ours=True),
            service=SERVICE_NAME,
            deadline_s=_ANSWER_S,
            keyed=True,  # a second exchange of the same cookie does no harm
        )
        self._proxy = proxy
        self._transport = transport
        self._callers = callers
        self._clock = clock

    @property
    def is_there(self) -> bool:
        """True if an instance is ready."""
        return bool(self._route.pool.endpoints)

    async def exchange(self, cookie: str) -> str | None:
        """Return an access token for the value of a session cookie; None if there is no such session.

        Raises `UsersFault`.
        """
        body = msgspec.json.encode({"session": cookie})
        asked = request("POST", "/accounts/exchange", body, Content_Type="application/json")
        answer, content = await self._ask(asked)
        if answer.status == _UNAUTHENTICATED:
            return None
        return _decoded(answer, content, _Exchanged).access_token

    async def keys(self) -> bytes:
        """Return the public keys of the tokens. Raises `UsersFault`."""
        answer, content = await self._ask(request("GET", "/accounts/.well-known/jwks.json"))
        if answer.status != _OK:
            raise UsersFault(f"{SERVICE_NAME} answered with status {answer.status}")
        return content

    async def revocations(self, after: str | None) -> Revoked:
        """Return what was revoked after that; it is waited for. None: everything of the last time.

        Breakers and outlier detection do not count the call: an answer that waits is no slow one.
        Raises `UsersFault`.
        """
        endpoint = self._route.pool.choose(self._clock())
        if endpoint is None:
            raise UsersFault(f"no instance of {SERVICE_NAME} is ready")
        asked = self._signed(
            request("GET", "/accounts/revocations" + ("" if after is None else f"?after={after}"))
        )
        instance = endpoint.instance
        try:
            async with asyncio.timeout(_POLL_S):
                answer = await self._transport.send(instance.address, instance.port, asked)
                content = await read_response(answer, _MOST)
        except (Unreachable, NoResponse, BrokenBody, TooLarge, TimeoutError) as fault:
            raise UsersFault(str(fault) or "no answer in time") from fault
        return _decoded(answer, content, Revoked)

    def _signed(self, asked: Request) -> Request:
        self._callers.sign(SERVICE, asked)
        return asked

    async def _ask(self, asked: Request) -> tuple[Response, bytes]:
        try:
            answer = await self._proxy.send(self._signed(asked), self._route, {})
            return answer, await read_response(answer, _MOST)
        except (Problem, BrokenBody, TooLarge) as fault:
            raise UsersFault(str(fault)) from fault


T = TypeVar("T")


def _decoded(answer: Response, content: bytes, kind: type[T]) -> T:
    if answer.status != _OK:
        raise UsersFault(f"{SERVICE_NAME} answered with status {answer.status}")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise UsersFault(f"{SERVICE_NAME} gave an answer that cannot be read: {fault}") from fault
