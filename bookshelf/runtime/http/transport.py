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

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Send over a socket."""
        url = URL(f"http://{address}:{port}{request.target}", encoded=True)
        try:
            answer = await self._session.request(
                request.method, url, headers=request.headers, data=_data(request), allow_redirects=False
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as fault:
            raise Unreachable(str(fault)) from fault
        except (aiohttp.ClientError, TimeoutError, BrokenBody) as fault:
            raise NoAnswer(type(fault).__name__) from fault
        headers = CIMultiDict(answer.headers)
        return Response(answer.status, headers, _pieces(answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def _data(request: Request) -> bytes | AsyncIterator[bytes] | None:
    # the body, and not a header of the hop before, says whether there is one and how it is framed
    body = request.body
    return body.content or None if isinstance(body, Bytes) else body.stream()


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except (aiohttp.ClientError, TimeoutError) as fault:
        raise BrokenBody(type(fault).__name__) from fault
    finally:
        answer.release()


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
