"""`python -m bench.proxies WHICH PORT UPSTREAM`: runs one of the compared proxies, or the upstream."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import msgspec

from bookshelf.cli.command import collect_rarely, started
from bookshelf.config import GatewaySettings
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer
from bookshelf.runtime.logs import configure
from gateway.app import Gateway
from gateway.ingress.listen import open_gateway_server

HOST = "127.0.0.1"
#: The requested path, below the gateway's prefix, and the response: a book.
PREFIX, PATH = "/bookshelf", "/books/7"
_BOOK = b'{"id":"7","title":"A book of some length","author":"Someone","published":"1999","pages":300}'
_DOCUMENT = {
    "x-bookshelf": {"service": "books", "tags": ["books"]},
    "paths": {"/books/{id}": {"get": {"summary": "one"}}},
}
#: Never reached: only the cost of counting is measured.
_RATE = "1000000000/minute"


class Upstream:
    """A handler that answers every request with the same book."""

    async def handle(self, request: Request) -> Response:
        """Return the OpenAPI document or the book."""
        if request.target == "/openapi.json":
            return Response(200, {"Content-Type": "application/json"}, msgspec.json.encode(_DOCUMENT))
        return Response(200, {"Content-Type": "application/json", "ETag": '"3"'}, _BOOK)


async def _upstream(port: int, _upstream: int) -> None:
    await HttpServer(Upstream(), HOST, port).start()


async def _gateway(port: int, upstream: int) -> None:
    collect_rarely()  # as `bookshelf run` does
    discovery = LocalDiscovery()
    metadata = {"openapi": "/openapi.json"}
    books = Instance(id="b", service="books", tags=("books",), address=HOST, port=upstream, meta=metadata)
    await discovery.register(books)
    gateway = Gateway(discovery, HttpTransport())
    await gateway.start()
    await open_gateway_server(gateway, GatewaySettings(gateway_rate=_RATE), HOST, port)
    started()


async def _naive(port: int, upstream: int) -> None:
    from aiohttp import ClientSession, TCPConnector, web  # noqa: PLC0415 (an extra)

    session = ClientSession(connector=TCPConnector(limit=0), auto_decompress=False)

    async def forward(request: web.Request) -> web.Response:
        url = f"http://{HOST}:{upstream}{request.rel_url.path.removeprefix(PREFIX)}"
        async with session.request(request.method, url, data=await request.read()) as answer:
            return web.Response(
                status=answer.status, body=await answer.read(), content_type=answer.content_type
            )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()


PROXIES: dict[str, Callable[[int, int], Awaitable[None]]] = {
    "upstream": _upstream,
    "gateway": _gateway,
    "naive": _naive,
}


async def _serve(which: str, port: int, upstream: int) -> None:
    await PROXIES[which](port, upstream)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until the process is terminated."""
    import uvloop  # noqa: PLC0415 (not available everywhere; all proxies here run on it)

    configure("warning", "json")
    which, port, upstream = sys.argv[1:]
    uvloop.run(_serve(which, int(port), int(upstream)))


if __name__ == "__main__":
    main()
