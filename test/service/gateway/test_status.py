"""The status: what the gateway knows, for those inside."""

import re

import pytest
from support.upstream import FakeCluster, Service, eventually, json_of, openapi_document, whole

from bookshelf.http.client import Unreachable
from bookshelf.http.message import Response, request

EVIL = '<script>alert("x")</script>'


async def shown(cluster: FakeCluster, accept: str = "*/*", peer: str = "127.0.0.1") -> Response:
    asked = request("GET", "/gateway", b"", Accept=accept)
    asked.peer = peer
    return await cluster.gateway.handle(asked)


async def test_the_status_page_shows_routes_instances_and_breakers(cluster: FakeCluster) -> None:
    await cluster.add(Service(openapi_document("books", ("books",), "GET /books"), Unreachable("no")))
    await cluster.gateway.start()
    for _ in range(6):
        await cluster.gateway.handle(request("GET", "/bookshelf/books"))
    found = json_of(await shown(cluster))
    [service] = found["services"]
    [instance] = service["instances"]
    assert (service["name"], service["panic"]) == ("books", False)
    assert (instance["id"], instance["address"], instance["breaker"]) == ("books-0", "127.0.0.1:1000", "open")
    assert found["routes"] == [
        {"method": "GET", "path": "/bookshelf/books", "service": "books", "answered_by": "books"}
    ]
    assert found["missing"] is None


async def test_the_status_page_shows_panic_mode(cluster: FakeCluster) -> None:
    await cluster.add(Service(openapi_document("books", ("books",), "GET /books"), Response(500, {})))
    await cluster.gateway.start()
    for _ in range(6):
        assert (await cluster.gateway.handle(request("GET", "/bookshelf/books"))).status == 500
    [service] = json_of(await shown(cluster))["services"]
    assert (service["panic"], service["ejections"]) == (True, 1)
    assert service["instances"][0]["ejection"] == "open"
    assert "panic" in (await whole(await shown(cluster, "text/html"))).decode()


async def test_the_status_page_shows_a_route_of_two_services(cluster: FakeCluster) -> None:
    await cluster.add(Service(openapi_document("a", ("a",), "GET /books")))
    await cluster.gateway.start()
    await cluster.add(Service(openapi_document("b", ("b",), "GET /books", "GET /health/x")))
    await eventually(lambda: bool(cluster.gateway.directory.known.table.refused))
    refused = json_of(await shown(cluster))["refused_routes"]
    assert {(one["service"], one["path"], one["why"]) for one in refused} == {
        ("b", "/books", "a has it"),
        ("b", "/health/x", "the gateway keeps this for itself"),
    }


async def test_the_status_page_is_one_file_and_escapes_foreign_text(cluster: FakeCluster) -> None:
    await cluster.add(Service(openapi_document(EVIL, (EVIL,), "GET /books")))
    await cluster.gateway.start()
    await cluster.add(Service(openapi_document("b", ("b",), f"GET /{EVIL}", "GET /books")))
    await eventually(lambda: bool(cluster.gateway.directory.known.table.refused))
    answer = await shown(cluster, "text/html,*/*")
    page = (await whole(answer)).decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'; style-src 'sha256-" in answer.headers["Content-Security-Policy"]
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!/)|@import|url\(", page)


async def test_other_machines_see_neither_status_page_nor_metrics(cluster: FakeCluster) -> None:
    for path in ("/gateway", "/metrics"):
        asked = request("GET", path)
        asked.peer = "8.8.8.8"
        assert (await cluster.gateway.handle(asked)).status == 404
        proxied = request("GET", path, b"", X_Forwarded_For="127.0.0.1")
        proxied.peer = "127.0.0.1"
        assert (await cluster.gateway.handle(proxied)).status == 404


@pytest.mark.parametrize(
    "line",
    [
        'bookshelf_gateway_breaker{endpoint="books-0"} 0.0',
        'bookshelf_gateway_ejected{endpoint="books-0"} 0.0',
        'bookshelf_gateway_outstanding{endpoint="books-0"} 0.0',
        'bookshelf_gateway_retries_total{upstream="books"} 1.0',
    ],
)
async def test_metrics_count_instances_and_retries(cluster: FakeCluster, line: str) -> None:
    moving = Response(503, {"Retry-After": "1"})
    await cluster.add(Service(openapi_document("books", ("books",), "GET /books"), moving, Response(200, {})))
    await cluster.gateway.start()
    await cluster.gateway.handle(request("GET", "/bookshelf/books"))
    page = (await whole(await cluster.gateway.handle(request("GET", "/metrics")))).decode()
    assert line in page


async def test_a_draining_gateway_is_unready_and_still_answers(cluster: FakeCluster) -> None:
    await cluster.add(Service(openapi_document("books", ("books",), "GET /books")))
    await cluster.gateway.start()
    cluster.gateway.leave()
    assert (await cluster.gateway.handle(request("GET", "/health/ready"))).status == 503
    assert (await cluster.gateway.handle(request("GET", "/bookshelf/books"))).status == 200
