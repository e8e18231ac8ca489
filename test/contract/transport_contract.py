"""What every way to another service does with a request and its answer."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from multidict import CIMultiDict

from bookshelf.http.client import Transport, Unreachable
from bookshelf.http.message import BytesBody, Handler, Request, Response, request

LOCALHOST = "127.0.0.1"
#: Puts a handler behind an address, and returns its port.
Serve = Callable[[Handler], Awaitable[int]]


class Echo:
    """Answers with what it was sent, and notes it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, bytes]] = []

    async def handle(self, request: Request) -> Response:
        content = await request.body.read(1 << 24)
        self.seen.append((request.method, request.target, request.headers.get("X-Question", ""), content))
        headers = CIMultiDict(
            {"Content-Type": "text/plain", "X-Answer": request.headers.get("X-Question", "")}
        )
        headers.add("Set-Cookie", "a=1")
        headers.add("Set-Cookie", "b=2")
        return Response(202, headers, content)


class Streams:
    """Answers piece by piece."""

    async def handle(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            async for piece in request.body.stream():
                yield piece
            for n in range(3):
                yield b"%d" % n

        return Response(200, {"Content-Type": "text/plain"}, pieces())


class Answers:
    """Answers with one status and body."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def handle(self, request: Request) -> Response:  # noqa: ARG002 (whatever comes)
        return self._response


async def whole(response: Response) -> bytes:
    """Return an answer's body, however it comes."""
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])


def post(target: str, content: bytes, **headers: str) -> Request:
    return request("POST", target, content, Content_Length=str(len(content)), **headers)


class TransportContract:
    """Inherit, and give fixtures `transport` and `serve`."""

    async def test_a_request_arrives_as_it_was_sent(self, transport: Transport, serve: Serve) -> None:
        echo = Echo()
        port = await serve(echo)
        answer = await transport.send(LOCALHOST, port, post("/a?b=c", b"text", X_Question="hello"))
        assert (answer.status, await whole(answer)) == (202, b"text")
        assert echo.seen == [("POST", "/a?b=c", "hello", b"text")]
        assert answer.headers["X-Answer"] == "hello"
        assert answer.headers["content-type"] == "text/plain"

    @pytest.mark.parametrize("target", ["/", "/%2e%2e/%2F", "/a/../b//c", "/?q=%C3%A4+%26&&x", "/%zz"])
    async def test_a_target_is_sent_unchanged(self, transport: Transport, serve: Serve, target: str) -> None:
        echo = Echo()
        port = await serve(echo)
        await whole(await transport.send(LOCALHOST, port, request("GET", target)))
        assert [seen for _, seen, _, _ in echo.seen] == [target]

    @pytest.mark.parametrize("content", [b"", b"\x00\xff" * 10, b"x" * 1_000_000])
    async def test_any_bytes_are_sent_and_received(
        self, transport: Transport, serve: Serve, content: bytes
    ) -> None:
        port = await serve(Echo())
        assert await whole(await transport.send(LOCALHOST, port, post("/", content))) == content

    async def test_a_body_may_stream_both_ways(self, transport: Transport, serve: Serve) -> None:
        port = await serve(Streams())
        answer = await transport.send(LOCALHOST, port, post("/", b"first "))
        assert await whole(answer) == b"first 012"

    async def test_a_repeated_header_stays_repeated(self, transport: Transport, serve: Serve) -> None:
        port = await serve(Echo())
        answer = await transport.send(LOCALHOST, port, request("GET", "/"))
        assert [value for name, value in answer.headers.items() if name == "Set-Cookie"] == ["a=1", "b=2"]
        await whole(answer)

    @pytest.mark.parametrize("status", [204, 301, 304, 404, 500, 503])
    async def test_any_status_is_returned_and_no_redirect_is_followed(
        self, transport: Transport, serve: Serve, status: int
    ) -> None:
        port = await serve(Answers(Response(status, {"Location": "/elsewhere"})))
        answer = await transport.send(LOCALHOST, port, request("GET", "/"))
        assert (answer.status, await whole(answer)) == (status, b"")

    async def test_a_compressed_body_stays_compressed(self, transport: Transport, serve: Serve) -> None:
        port = await serve(Answers(Response(200, {"Content-Encoding": "gzip"}, b"not really")))
        answer = await transport.send(LOCALHOST, port, request("GET", "/"))
        assert await whole(answer) == b"not really"

    async def test_requests_are_sent_concurrently_and_one_after_the_other(
        self, transport: Transport, serve: Serve
    ) -> None:
        port = await serve(Echo())
        for n in range(20):
            answer = await transport.send(LOCALHOST, port, post("/", b"%d" % n))
            assert await whole(answer) == b"%d" % n

    async def test_a_refused_connection_is_known_to_be_unsent(
        self, transport: Transport, free_port: int
    ) -> None:
        with pytest.raises(Unreachable):
            await transport.send(LOCALHOST, free_port, Request("GET", "/", CIMultiDict(), BytesBody()))
