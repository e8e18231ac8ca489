"""A load has a rate only if every response was the expected one."""

import pytest

from bench.connection import HOST, ask
from bench.load import Load
from bench.measurement import BenchFault
from bench.wire import get
from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer


class Tiring:
    """Answers 200 so many times, and 503 from then on."""

    def __init__(self, well: int) -> None:
        self.well = well
        self.asked = 0

    async def handle(self, _request: Request) -> Response:
        self.asked += 1
        return Response(200 if self.asked <= self.well else 503, {}, b"tired")


async def served(handler: Tiring) -> HttpServer:
    server = HttpServer(handler, HOST, 0)
    await server.start()
    return server


async def test_every_response_is_counted() -> None:
    handler = Tiring(1 << 30)
    server = await served(handler)
    load = Load([get("/")], 200)
    figures = await load.run(server.port, connections=4, seconds=0.05)
    await server.stop()
    assert load.answered == handler.asked
    assert figures["per_s"] > 0
    assert figures["p50_ms"] <= figures["p99_ms"]


async def test_an_unexpected_response_ends_the_load() -> None:
    server = await served(Tiring(300))
    tired = pytest.RaisesExc(BenchFault, match="503 where 200 was expected: tired")
    with pytest.RaisesGroup(tired):
        await Load([get("/")], 200).run(server.port, connections=1, seconds=30)
    await server.stop()


async def test_a_connection_that_is_cut_is_a_fault() -> None:
    server = await served(Tiring(1))
    port = server.port
    await server.stop()
    with pytest.raises(OSError, match=r"refused|Connect"):
        await ask(port, get("/"))
