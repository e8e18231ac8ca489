"""The corpus of attacks by request, through raw sockets: at the gateway, and at a real nginx beside it."""

import asyncio
import contextlib
import sys
from pathlib import Path

import pytest
from support.attacks import ATTACKS, ONE, REFUSED, Attack
from support.gateway_sockets import GatewayOnSockets
from support.nginx import nginx
from support.upstream import HOST, Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer

BOOKS = openapi_document(
    "books", ("books",), "GET /books", "POST /books", "GET /smuggled", "POST /smuggled", "GET /books/{id}"
)
TWO = "two"
#: Seconds of silence after which a proxy's response is complete.
QUIET_S = 0.3
GUARD = ConnectionLimits(head_s=0.3, body_idle_s=0.3, linger_s=0.1)


class Seen:
    """Takes anything, and notes what it was."""

    def __init__(self) -> None:
        self.targets: list[str] = []

    async def handle(self, request: Request) -> Response:
        self.targets.append(request.target)
        await request.body.read(1 << 20)
        return Response(200, {}, b"ok")


async def say(port: int, content: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(content)
    found = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while True:
            async with asyncio.timeout(QUIET_S):
                piece = await reader.read(65536)
            if not piece:
                break
            found += piece
    writer.close()
    return found


def verdict(targets: list[str]) -> str:
    if any("smuggled" in target for target in targets) or len(targets) > 1:
        return TWO
    return ONE if targets else REFUSED


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_reaches_no_service(
    network: GatewayOnSockets, transport: HttpTransport, attack: Attack
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport, guard=GUARD)
    answer = await say(network.port, attack.content)
    # a body that breaks off in the middle has begun to be sent on, and did not look whole there
    whole = [asked.target for asked in service.asked][: len(service.bodies)]
    assert verdict(whole) == attack.wanted
    codes = [int(line.split(b" ")[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/")]
    assert len(codes) <= 1
    if attack.wanted == REFUSED:
        assert all(400 <= code < 500 for code in codes)
    else:
        assert codes == [200]


@pytest.mark.needs("nginx")
async def test_requests_that_nginx_refuses_are_refused(
    network: GatewayOnSockets, transport: HttpTransport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, ours = Seen(), Service(BOOKS)
    behind = HttpServer(seen, HOST, 0, allowed_hosts=None)  # nginx names it "service"
    await behind.start()
    await network.service(ours)
    await network.open(transport, guard=GUARD)
    rows = []
    with nginx(tmp_path, behind.port) as port:
        for attack in ATTACKS:
            seen.targets.clear()
            ours.asked.clear()
            ours.bodies.clear()
            await asyncio.gather(say(network.port, attack.content), say(port, attack.content))
            mine = verdict([asked.target for asked in ours.asked][: len(ours.bodies)])
            rows.append((attack.name, mine, verdict(seen.targets)))
    await behind.stop(0.1)
    with capsys.disabled():
        table = [("attack", "gateway", "nginx"), *rows]
        sys.stdout.write("\n" + "".join(f"{name:34} {mine:10} {theirs}\n" for name, mine, theirs in table))
    assert [row for row in rows if row[1] == TWO or (row[2] == REFUSED and row[1] != REFUSED)] == []
