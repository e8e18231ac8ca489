"""Talking to a port by hand: requests as bytes, and a handler that repeats what it understood."""

import asyncio

from support.upstream import DEADLINE_S, HOST, pieces

from bookshelf.http.message import BrokenBody, Request, Response

HEAD = b"Host: localhost\r\n"
LAST = HEAD + b"Connection: close\r\n"


class Repeats:
    """Answers with the request line and body; `/slow` waits, `/cut` and `/long` have a wrong length."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.broken = asyncio.Event()

    async def handle(self, request: Request) -> Response:
        """Answer."""
        self.asked.append(request.target)
        if request.target == "/slow":
            await self.go.wait()
        if request.target == "/refuse":
            return Response(413, {})
        if request.target in {"/cut", "/long"}:
            length = {"/cut": "20", "/long": "3"}[request.target]
            return Response(200, {"Content-Length": length}, pieces(b"piece"))
        if request.target == "/pieces":
            return Response(200, {}, pieces(b"one", b"", b"two"))
        try:
            body = await request.body.read(1 << 24)
        except BrokenBody:
            self.broken.set()
            raise
        return Response(200, {}, f"<{request.method} {request.target} {body.decode()}>".encode())


async def json_of(port: int, *parts: bytes) -> bytes:
    """Send the parts, and return all that arrives until the connection is closed."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        async with asyncio.timeout(DEADLINE_S):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)  # sleep: so that each part is a packet of its own
            return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


def get(path: str, headers: bytes = HEAD, version: bytes = b"1.1") -> bytes:
    """Write a request down."""
    return b"GET %b HTTP/%b\r\n%b\r\n" % (path.encode(), version, headers)


def post(path: str, body: bytes, headers: bytes = HEAD) -> bytes:
    """Write one with a body down."""
    return b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n%b\r\n%b" % (path.encode(), len(body), headers, body)


def bodies(found: bytes) -> list[bytes]:
    """Return what was repeated."""
    return [b"<" + part.partition(b">")[0] + b">" for part in found.split(b"<")[1:]]
