"""What a page of another origin may do through a browser: look at health, follow a link, and nothing else."""

import pytest
from support.gateway_sockets import GatewayOnSockets, asks, response_to, status
from support.upstream import HOST, Service, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Response
from bookshelf.http.server import HttpServer
from gateway.ingress.client_address import TrustedProxies
from gateway.ingress.middleware import Cors, IngressPolicy

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")
BODY = b'{"title": "Dune"}'
UPGRADE = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")


@pytest.fixture
async def service(network: GatewayOnSockets, transport: HttpTransport) -> Service:
    made = Service(BOOKS)
    await network.service(made)
    house = IngressPolicy(
        cors=Cors(["https://pages.example"]), trusted_proxies=TrustedProxies(["127.0.0.0/8"])
    )
    await network.open(transport, house)
    return made


def to(host: str, request: bytes) -> bytes:
    return request.replace(b"Host: books.localhost", b"Host: " + host.encode())


async def test_a_foreign_host_is_answered_421_with_the_setting(
    network: GatewayOnSockets, service: Service
) -> None:
    answer = await network.ask(to("evil.example", asks("GET", "/bookshelf/books")))
    assert status(answer) == 421
    assert b"application/problem+json" in answer
    assert b"BOOKSHELF_ALLOWED_HOSTS=evil.example" in answer
    assert service.asked == []


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
async def test_health_and_metrics_are_answered_for_a_foreign_host(
    network: GatewayOnSockets, service: Service, path: str
) -> None:
    assert status(await network.ask(to("evil.example", asks("GET", path)))) == 200
    assert service.asked == []


@pytest.mark.parametrize(
    "header", ["Sec-Fetch-Site: cross-site", "Origin: http://evil.example", "Origin: null"]
)
async def test_a_foreign_page_changes_nothing(
    network: GatewayOnSockets, service: Service, header: str
) -> None:
    answer = await network.ask(asks("POST", "/bookshelf/books", header, body=BODY))
    assert (status(answer), b"problem:cross-origin" in answer) == (403, True)
    upgrade = await network.ask(
        asks("GET", "/bookshelf/books", header, *UPGRADE).replace(b"close", b"upgrade, close")
    )
    assert status(upgrade) == 403
    assert service.asked == []
    assert status(await network.ask(asks("GET", "/bookshelf/books", header))) == 200


@pytest.mark.parametrize(
    "header",
    [
        "Sec-Fetch-Site: same-origin",
        "Origin: http://books.localhost",
        "Origin: https://pages.example",
        "X: y",
    ],
)
async def test_own_pages_and_programs_make_changes(
    network: GatewayOnSockets, service: Service, header: str
) -> None:
    answer = await network.ask(asks("POST", "/bookshelf/books", header, body=BODY))
    assert status(answer) == 200
    # the service has another name, and would refuse what the gateway has let in
    assert not {"Origin", "Sec-Fetch-Site"} & service.asked[0].headers.keys()


async def test_behind_a_trusted_proxy_its_host_and_scheme_are_used(
    network: GatewayOnSockets, service: Service
) -> None:
    forwarded = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.localhost")
    own = asks("POST", "/bookshelf/books", *forwarded, "Origin: https://a.localhost", body=BODY)
    assert status(await network.ask(own)) == 200
    other = asks("POST", "/bookshelf/books", *forwarded, "Origin: http://books.localhost", body=BODY)
    assert status(await network.ask(other)) == 403
    rebound = asks("GET", "/bookshelf/books", forwarded[0], "X-Forwarded-Host: evil.example")
    assert status(await network.ask(rebound)) == 421
    assert len(service.asked) == 1


@pytest.mark.parametrize("host", ["evil.example", "books.example.evil.example"])
async def test_the_port_of_a_service_has_the_same_check(host: str) -> None:
    service = Service(BOOKS, Response(200, {}))
    server = HttpServer(service, HOST, 0, allowed_hosts=["books.example"])
    await server.start()
    assert status(await response_to(server.port, to(host, asks("GET", "/books")))) == 421
    assert status(await response_to(server.port, to("Books.example:8081", asks("GET", "/books")))) == 200
    foreign = asks("POST", "/books", "Origin: http://evil.example", body=BODY)
    assert status(await response_to(server.port, foreign)) == 403
    assert status(await response_to(server.port, to(host, asks("GET", "/health/ready")))) == 200
    assert [asked.method for asked in service.asked] == ["GET", "GET"]
    await server.stop(0.1)
