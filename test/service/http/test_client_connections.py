"""What the asking side keeps of those it has asked."""

from contextlib import AsyncExitStack

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Request, Response, request
from bookshelf.http.server import HttpServer

HOST = "127.0.0.1"


class Anyone:
    async def handle(self, request: Request) -> Response:  # noqa: ARG002 (the same to all)
        return Response(200, {}, b"here")


async def asked(transport: HttpTransport, port: int) -> int:
    return (await transport.send(HOST, port, request("GET", "/"))).status


async def test_the_connections_of_an_address_that_left_are_closed() -> None:
    transport = HttpTransport()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.close)
        for _ in range(20):
            server = HttpServer(Anyone(), HOST, 0)
            await server.start()
            assert await asked(transport, server.port) == 200
            await server.stop(0.1)
        assert len(transport.places) <= 3  # the last ones are not known to be gone yet


async def test_the_connections_of_a_present_address_are_kept() -> None:
    transport = HttpTransport()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.close)
        servers = [HttpServer(Anyone(), HOST, 0) for _ in range(3)]
        for server in servers:
            await server.start()
            stack.push_async_callback(server.stop, 0.1)
        for server in servers * 2:
            assert await asked(transport, server.port) == 200
        assert transport.places == {(HOST, server.port) for server in servers}
        assert [len(server.connections) for server in servers] == [1, 1, 1]
