"""A service that someone else wrote, registered in Consul by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from support.consul import Agent
from support.upstream import HOST, Service, openapi_document

from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer


@asynccontextmanager
async def visiting(
    agent: Agent, answer: Response | Callable[[Request], Awaitable[Response]]
) -> AsyncIterator[Service]:
    """Serve GET /guests until the block ends."""
    service = Service(openapi_document("guests", ("guests",), "GET /guests"), answer)
    server = HttpServer(service, HOST, 0)
    await server.start()
    body = {"Name": "guests", "Tags": ["guests"], "Address": HOST, "Port": server.port}
    agent.ask("PUT", "/v1/agent/service/register", {**body, "Meta": {"openapi": "/openapi.json"}})
    try:
        yield service
    finally:
        agent.clear()
        await server.stop()
