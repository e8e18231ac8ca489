"""Requests to other services: over sockets, or straight to a handler of the same process."""

from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from bookshelf.runtime.http.message import BrokenBody, Bytes, Handler, Request, Response

#: Seconds for the connection, and between two pieces of an answer.
CONNECT_S = 2.0
ANSWER_S = 30.0


class Unreachable(Exception):
    """No connection came about: the request has certainly not been seen."""


class NoAnswer(Exception):
    """The request was sent and the answer did not come: whether it was carried out is unknown."""


class Transport(Protocol):
    """The way to another service's instance."""

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Send and return the answer; its body may still stream. Raises `Unreachable`, `NoAnswer`."""

    async def close(self) -> None:
        """Let connections go."""


class HttpTransport:
    """Over HTTP/1.1, with kept connections. Nothing is decoded, followed or tried twice."""

    def __init__(self, connections: int = 256) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, limit_per_host=connections),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=ANSWER_S),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            raise_for_status=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        # aiohttp would send a GET, a PUT or a DELETE once more when a kept connection breaks: a DELETE
        # that was carried out would then be answered 404. Who may try again is the caller's to say.
        self._session._retry_connection = False  # noqa: SLF001 (there is no public way)

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Send over a socket."""
        host = f"[{address}]" if ":" in address else address
        url = URL(f"http://{host}:{port}{request.target}", encoded=True)
        try:
            answer = await self._session.request(
                request.method, url, headers=request.headers, data=_data(request), allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as fault:
            raise Unreachable(str(fault)) from fault
        except (aiohttp.ClientError, TimeoutError, BrokenBody) as fault:
            raise NoAnswer(type(fault).__name__) from fault
        headers = CIMultiDict(answer.headers)
        return Response(answer.status, headers, _Pieces(answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def _data(request: Request) -> bytes | AsyncIterator[bytes] | None:
    # the body, and not a header of the hop before, says whether there is one and how it is framed
    body = request.body
    return body.content or None if isinstance(body, Bytes) else body.stream()


class _Pieces:
    """An answer's body as it comes. Its connection is let go at the end, or when it is closed before."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self._pieces = aiter(answer.content.iter_any())

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            self._answer.release()
            raise
        except (aiohttp.ClientError, TimeoutError) as fault:
            self._answer.release()
            raise BrokenBody(type(fault).__name__) from fault

    async def aclose(self) -> None:
        self._answer.release()


class LocalTransport:
    """Straight to the handlers of this process; anyone else over `beyond`."""

    def __init__(self, beyond: Transport | None = None) -> None:
        self._handlers: dict[tuple[str, int], Handler] = {}
        self._beyond = beyond

    def attach(self, address: str, port: int, handler: Handler) -> None:
        """Say that a handler of this process answers at an address."""
        self._handlers[address, port] = handler

    def detach(self, address: str, port: int) -> None:
        """Say that no one answers there any more."""
        self._handlers.pop((address, port), None)

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Call the handler."""
        handler = self._handlers.get((address, port))
        if handler is not None:
            return await handler.handle(request)
        if self._beyond is None:
            msg = f"no one answers at {address}:{port}"
            raise Unreachable(msg)
        return await self._beyond.send(address, port, request)

    async def close(self) -> None:
        """Close the way beyond."""
        if self._beyond is not None:
            await self._beyond.close()
