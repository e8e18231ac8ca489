"""The bytes of a response follow HTTP/1.1, whatever the handler returned."""

from asyncio import open_connection, timeout

import pytest

from bench.connection import HOST
from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer

GET = "GET / HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = "Connection: close\r\n"


class Fixed:
    """Always answers the same, and records its requests."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.peers: list[str] = []

    async def handle(self, request: Request) -> Response:
        self.peers.append(request.peer)
        return self.response


async def sent_bytes(response: Response, value: str) -> tuple[str, list[str], str]:
    """Return the status line, the other lines of the head, and all that follows until the server closes."""
    server = HttpServer(Fixed(response), HOST, 0)
    await server.start()
    reader, writer = await open_connection(HOST, server.port)
    writer.write(f"{value}\r\n".encode())
    async with timeout(10):
        content = (await reader.read()).decode()
    writer.close()
    await server.stop()
    head, _, body = content.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    return status, lines, body


async def test_a_response_has_content_length_date_and_server() -> None:
    status, lines, body = await sent_bytes(Response(200, {"ETag": '"1"'}, b"hello"), GET + CLOSE)
    assert (status, body) == ("HTTP/1.1 200 OK", "hello")
    assert {'ETag: "1"', "Content-Length: 5", "Connection: close", "Server: bookshelf"} <= set(lines)
    assert sum(line.startswith("Date: ") and line.endswith(" GMT") for line in lines) == 1


@pytest.mark.parametrize("status", [204, 304])
async def test_a_response_without_a_body_has_no_length(status: int) -> None:
    _, lines, body = await sent_bytes(Response(status, {}), GET + CLOSE)
    assert (body, [line for line in lines if line.startswith("Content-Length")]) == ("", [])


async def test_a_head_response_has_the_length_and_no_body() -> None:
    _, lines, body = await sent_bytes(Response(200, {}, b"hello"), GET.replace("GET", "HEAD") + CLOSE)
    assert (body, "Content-Length: 5" in lines) == ("", True)


async def test_a_length_set_by_the_handler_is_sent_once() -> None:
    _, lines, _ = await sent_bytes(Response(200, {"Content-Length": "5"}), GET.replace("GET", "HEAD") + CLOSE)
    assert [line for line in lines if line.startswith("Content-Length")] == ["Content-Length: 5"]


async def test_an_http_1_0_client_is_answered_in_its_version_and_disconnected() -> None:
    status, lines, body = await sent_bytes(Response(200, {}, b"hello"), "GET / HTTP/1.0\r\n")
    assert (status, body) == ("HTTP/1.0 200 OK", "hello")
    assert "Connection: keep-alive" not in lines


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b"])
async def test_a_line_break_in_a_header_is_refused(value: str) -> None:
    status, _, body = await sent_bytes(Response(200, {"Location": value}), GET + CLOSE)
    assert status == "HTTP/1.1 500 Internal Server Error"
    assert "Set-Cookie" not in body


async def test_the_handler_gets_the_client_address() -> None:
    fixed = Fixed(Response(200, {}))
    server = HttpServer(fixed, HOST, 0)
    await server.start()
    reader, writer = await open_connection(HOST, server.port)
    writer.write(f"{GET}{CLOSE}\r\n".encode())
    async with timeout(10):
        await reader.read()
    writer.close()
    await server.stop()
    assert fixed.peers == [HOST]
