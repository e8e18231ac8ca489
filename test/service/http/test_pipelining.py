"""One connection with many requests: answered in order and complete, and none is made up."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.gateway_sockets import chunk, status
from support.raw_http import HEAD, LAST, Repeats, bodies, get, json_of, post
from support.upstream import DEADLINE_S, HOST, eventually

from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler
from bookshelf.http.server import HttpServer

Open = Callable[[Handler, ConnectionLimits], Awaitable[HttpServer]]


async def test_pipelined_requests_are_answered_in_order(opened: Open) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    many = [get(f"/{n}") if n % 2 else post(f"/{n}", b"x" * n) for n in range(200)]
    found = bodies(await json_of(server.port, b"".join(many) + get("/last", LAST)))
    wanted = [f"<GET /{n} >" if n % 2 else f"<POST /{n} {'x' * n}>" for n in range(200)]
    assert [one.decode() for one in found] == [*wanted, "<GET /last >"]


async def test_a_request_may_be_split_at_any_byte(opened: Open) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    chunked = b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n%b\r\n" % HEAD
    all_of_it = post("/a", b"body") + chunked + chunk(b"in ") + chunk(b"two") + chunk(b"") + get("/c", LAST)
    found = await json_of(server.port, *[all_of_it[at : at + 1] for at in range(len(all_of_it))])
    assert bodies(found) == [b"<POST /a body>", b"<POST /b in two>", b"<GET /c >"]


async def test_a_malformed_request_is_refused_after_earlier_ones_are_answered(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    found = await json_of(server.port, get("/a") + b"nonsense\r\n\r\n" + get("/never"))
    assert bodies(found) == [b"<GET /a >"]
    assert found.count(b"HTTP/1.1 200 OK") == found.count(b"HTTP/1.1 400 Bad Request") == 1
    assert b"application/problem+json" in found
    assert repeats.asked == ["/a"]


async def test_bytes_after_the_last_request_are_not_read(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    found = await json_of(server.port, get("/a", LAST) + get("/never"))
    assert bodies(found) == [b"<GET /a >"]
    assert repeats.asked == ["/a"]


async def test_a_refusal_arrives_while_the_client_still_sends(opened: Open) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    found = await json_of(server.port, b"nonsense\r\n\r\n", *[b"x" * 65536] * 8)
    assert status(found) == 400


async def test_a_malformed_chunk_aborts_the_body(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    _, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n%b\r\n" % HEAD + chunk(b"some"))
    async with asyncio.timeout(DEADLINE_S):
        await eventually(lambda: bool(repeats.asked))
        writer.write(b"nonsense\r\n")
        await repeats.broken.wait()
    writer.close()


async def test_an_unread_body_is_drained_and_the_connection_is_reused(opened: Open) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    found = await json_of(server.port, post("/refuse", b"x" * 300_000), get("/after", LAST))
    assert status(found) == 413
    assert bodies(found) == [b"<GET /after >"]


@pytest.mark.parametrize("path", ["/cut", "/long"])
async def test_a_response_of_the_wrong_length_is_cut_off(opened: Open, path: str) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    found = await json_of(server.port, get(path), get("/never"))
    assert b"HTTP/1.1" not in found[8:]
    assert b"never" not in found
    assert (b"piece" in found) is (path == "/cut")


async def test_a_stream_is_chunked_for_clients_of_http_1_1(opened: Open) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    new = await json_of(server.port, get("/pieces") + get("/after", LAST))
    assert b"Transfer-Encoding: chunked" in new
    assert b"\r\n\r\n" + chunk(b"one") + chunk(b"two") + chunk(b"") in new
    assert bodies(new) == [b"<GET /after >"]
    old = await json_of(server.port, get("/pieces", HEAD + b"Connection: keep-alive\r\n", b"1.0"))
    assert old.endswith(b"\r\n\r\nonetwo")
    assert b"chunked" not in old


async def test_an_http_1_0_client_may_keep_its_connection(opened: Open) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    stays = get("/a", b"Connection: keep-alive\r\n", b"1.0")
    found = await json_of(server.port, stays + get("/b", b"", b"1.0"))
    assert bodies(found) == [b"<GET /a >", b"<GET /b >"]
    assert found.count(b"Connection: keep-alive") == 1


async def test_an_upgrade_that_is_not_agreed_to_stays_http(opened: Open) -> None:
    server = await opened(Repeats(), ConnectionLimits())
    asks = HEAD + b"Connection: Upgrade\r\nUpgrade: %b\r\n"
    found = await json_of(
        server.port, get("/a", asks % b"websocket") + get("/b", asks % b"h2c") + get("/c", LAST)
    )
    assert bodies(found) == [b"<GET /a >", b"<GET /b >", b"<GET /c >"]


async def test_a_client_that_sends_ahead_gets_backpressure(opened: Open) -> None:
    repeats = Repeats()
    server = await opened(repeats, ConnectionLimits())
    _, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(get("/slow") + get("/next"))
    sent = 0
    async with asyncio.timeout(DEADLINE_S):
        while not writer.transport.get_write_buffer_size():  # the system's own buffers are full by then
            writer.write(b"x" * (1 << 20))
            sent += 1 << 20
            await asyncio.sleep(0.02)  # sleep: for the server to take it, if it would
    assert sent < 64 << 20
    assert repeats.asked == ["/slow"]
    writer.transport.abort()
