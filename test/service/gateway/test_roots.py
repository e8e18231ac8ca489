"""The roots of pages: which service gets a request outside of the prefix, and what it is sent."""

import pytest
from support.gateway_sockets import GatewayOnSockets, asks, status
from support.upstream import FakeCluster, Json, Service, eventually, json_of, openapi_document, pieces, whole

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Response, request
from bookshelf.http.problem import Problem
from gateway.problem_page import answer_problem

JSON = "application/problem+json"
API = openapi_document("books", ("books",), "GET /books")


def pages(service: str, root: str) -> Json:
    """Return the document of a service of pages."""
    return {"x-bookshelf": {"service": service, "tags": [service], "root": root}, "paths": {}}


async def started(cluster: FakeCluster, *services: Service) -> None:
    for service in services:
        await cluster.add(service)
    await cluster.gateway.start()


async def get(cluster: FakeCluster, target: str, **headers: str) -> Response:
    return await cluster.gateway.handle(request("GET", target, b"", **headers))


async def test_a_page_gets_its_whole_address_and_the_api_stays_below_its_prefix(cluster: FakeCluster) -> None:
    site, books = Service(pages("site", "/")), Service(API)
    await started(cluster, site, books)
    for target in ("/", "/books", "/books/1/finish?x=y", "/nowhere"):
        assert (await get(cluster, target)).status == 200
    assert (await get(cluster, "/bookshelf/books")).status == 200
    assert [asked.target for asked in site.asked] == ["/", "/books", "/books/1/finish?x=y", "/nowhere"]
    assert [asked.target for asked in books.asked] == ["/books"]
    assert "X-Forwarded-Prefix" not in site.asked[0].headers
    assert books.asked[0].headers["X-Forwarded-Prefix"] == "/bookshelf"


async def test_the_longest_root_gets_a_request(cluster: FakeCluster) -> None:
    site, shop = Service(pages("site", "/")), Service(pages("shopsite", "/shop"))
    await started(cluster, site, shop)
    for target in ("/shop", "/shop/cart", "/shopping", "/sho%70/cart"):
        await get(cluster, target)
    assert [asked.target for asked in shop.asked] == ["/shop", "/shop/cart"]
    assert [asked.target for asked in site.asked] == ["/shopping", "/sho%70/cart"]


@pytest.mark.parametrize("target", ["//", "//elsewhere.example/books", "//bookshelf/books", "///"])
async def test_a_target_that_a_browser_reads_as_another_site_is_no_page(
    cluster: FakeCluster, target: str
) -> None:
    site = Service(pages("site", "/"))
    await started(cluster, site)
    answer = await get(cluster, target)
    assert (answer.status, json_of(answer)["type"]) == (404, "urn:bookshelf:problem:no-route")
    assert site.asked == []


@pytest.mark.parametrize("path", ["/apidocs/", "/openapi.json", "/health/live", "/metrics", "/gateway"])
async def test_the_gateway_keeps_its_own_paths(cluster: FakeCluster, path: str) -> None:
    site = Service(pages("site", "/"))
    await started(cluster, site)
    await get(cluster, path)
    await get(cluster, f"{path.rstrip('/')}/nowhere")
    assert (await get(cluster, "/bookshelf")).status == 404
    assert site.asked == []


async def test_the_docs_are_at_the_root_only_while_no_service_declares_it(cluster: FakeCluster) -> None:
    await started(cluster, Service(API), Service(pages("shopsite", "/shop")))
    assert (await get(cluster, "/")).headers["Location"] == "/apidocs/"
    await cluster.add(Service(pages("site", "/"), Response(200, {}, b"home")))
    await eventually(lambda: "/" in cluster.gateway.directory.known.table.roots)
    assert (await get(cluster, "/")).body == b"home"


async def test_a_page_is_unavailable_until_the_documents_of_all_ready_services_are_known(
    cluster: FakeCluster,
) -> None:
    site = Service(pages("site", "/"))
    site.documents_first = [Response(500, {}) for _ in range(20)]
    await cluster.add(site)
    starting = cluster.gateway.directory
    await cluster.gateway.start()
    if starting.missing() is not None:
        assert (await get(cluster, "/books")).status == 503
        assert (await get(cluster, "/apidocs/")).status == 200


async def test_a_page_s_own_headers_cookies_and_references_pass_unchanged(cluster: FakeCluster) -> None:
    answer = Response(303, {"Location": "/books/1", "Set-Cookie": "theme=dark; Path=/", "ETag": '"1"'})
    site = Service(pages("site", "/"), answer)
    await started(cluster, site)
    came = await cluster.gateway.handle(request("POST", "/books/1/finish", b"stars=4", Cookie="theme=light"))
    assert (came.status, came.headers["Location"], came.headers["ETag"]) == (303, "/books/1", '"1"')
    assert came.headers["Set-Cookie"] == "theme=dark; Path=/"
    assert site.bodies == [b"stars=4"]
    assert site.asked[0].headers["Cookie"] == "theme=light"
    assert "Idempotency-Key" not in site.asked[0].headers


async def test_a_page_has_the_deadline_that_its_service_declares(cluster: FakeCluster) -> None:
    document = pages("site", "/")
    document["x-bookshelf"] |= {"pages": ["/add", "/books/{id}"], "page_deadlines_s": {"/add": 600.0}}
    site = Service(document)
    await started(cluster, site)
    for target in ("/add", "/books/1"):
        await cluster.gateway.handle(request("POST", target, b"x=y"))
    left = [float(asked.headers["Bookshelf-Time-Left"]) for asked in site.asked]
    assert left[0] > 500
    assert left[1] < 31


async def test_the_positions_of_a_page_s_changes_come_back_with_the_next_page(cluster: FakeCluster) -> None:
    positions = {"Bookshelf-Position": "bookshelf/0@42, bookshelf/1@7"}
    site = Service(pages("site", "/"), Response(303, {"Location": "/", **positions}), Response(200, {}))
    await started(cluster, site)
    changed = await cluster.gateway.handle(request("POST", "/books/1/finish", b"stars=4"))
    cookies = [value for name, value in changed.headers.items() if name == "Set-Cookie"]
    assert all("Path=/;" in cookie for cookie in cookies)
    await get(cluster, "/", Cookie="; ".join(cookie.partition(";")[0] for cookie in cookies))
    assert site.asked[1].headers["Bookshelf-After"] == "bookshelf/0@42, bookshelf/1@7"


async def test_a_stream_of_a_page_is_passed_on_piece_by_piece(cluster: FakeCluster) -> None:
    kind = {"Content-Type": "text/event-stream"}
    await started(cluster, Service(pages("site", "/"), Response(200, kind, pieces(b"data: 1\n\n", b":\n\n"))))
    live = await get(cluster, "/live")
    assert not isinstance(live.body, bytes)
    assert await anext(live.body) == b"data: 1\n\n"
    assert await whole(live) == b":\n\n"


async def test_a_service_of_pages_that_has_gone_is_unavailable(cluster: FakeCluster) -> None:
    await started(cluster, Service(pages("site", "/")))
    await cluster.discovery.deregister(cluster.instances[0].id)
    await eventually(lambda: not cluster.gateway.directory.known.table.roots["/"].pool.endpoints)
    assert (await get(cluster, "/books")).status == 503


@pytest.mark.parametrize(("target", "kind"), [("/books", "text/html; charset=utf-8"), ("/bookshelf/x", JSON)])
async def test_a_browser_gets_a_page_when_the_gateway_has_no_service_to_ask(
    cluster: FakeCluster, target: str, kind: str
) -> None:
    document = {**pages("site", "/"), "paths": openapi_document("site", ("site",), "GET /x")["paths"]}
    await started(cluster, Service(document))
    await cluster.discovery.deregister(cluster.instances[0].id)
    await eventually(lambda: not cluster.gateway.directory.known.table.roots["/"].pool.endpoints)
    shown = await get(cluster, target, Accept="text/html,*/*;q=0.8")
    assert (shown.status, shown.headers["Content-Type"]) == (503, kind)
    assert shown.headers["Retry-After"] == "1"
    program = await get(cluster, target, Accept="*/*")
    assert program.headers["Content-Type"] == JSON
    if kind != JSON:
        assert isinstance(shown.body, bytes)
        assert b"<h1>Service Unavailable</h1>" in shown.body
        assert "style-src 'sha256-" in shown.headers["Content-Security-Policy"]


async def test_a_browser_that_uses_a_wrong_name_gets_a_page(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.open(transport)
    asked = asks("GET", "/books", "Accept: text/html").replace(b"books.localhost", b"evil.example")
    answer = await network.ask(asked)
    assert status(answer) == 421
    assert b"<h1>Misdirected Request</h1>" in answer


def test_the_page_of_a_problem_shows_its_detail_as_text() -> None:
    answer = answer_problem(request("GET", "/books", Accept="text/html"), Problem("misdirected", "<b>evil"))
    assert isinstance(answer.body, bytes)
    assert b"<p>&lt;b&gt;evil</p>" in answer.body


async def test_pages_are_in_the_status_and_not_in_the_api_documents(cluster: FakeCluster) -> None:
    await started(cluster, Service(pages("site", "/")), Service(API))
    shown = await get(cluster, "/gateway")
    assert isinstance(shown.body, bytes)
    assert b'"method":"ANY","path":"/*","service":"site"' in shown.body
    document = await get(cluster, "/openapi.json")
    assert isinstance(document.body, bytes)
    assert b"site" not in document.body


async def refused(network: GatewayOnSockets, target: str) -> bytes:
    """Send a form as a page of another site would."""
    return await network.ask(asks("POST", target, "Sec-Fetch-Site: cross-site", body=b"review=long"))


async def test_a_form_of_another_site_is_shown_by_the_service_of_the_page_and_changes_nothing(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    site = Service(pages("books", "/"), Response(403, {}, b"typed: long"))
    await network.service(site)
    await network.open(transport)
    answer = await refused(network, "/books/1/finish")
    assert status(answer) == 403
    assert answer.endswith(b"typed: long")
    assert site.asked[0].headers["Bookshelf-Refused"] == "cross-origin"
    assert site.bodies == [b"review=long"]
    own = asks("POST", "/books/1/finish", "Sec-Fetch-Site: same-origin", "Bookshelf-Refused: x", body=b"a=b")
    await network.ask(own)
    assert "Bookshelf-Refused" not in site.asked[1].headers


async def test_a_page_gets_the_roots_of_all_pages_whatever_its_client_sends(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    site = Service(pages("books", "/"), Response(200, {}, b"a page"))
    await network.service(site)
    await network.open(transport)
    await network.ask(asks("GET", "/books", "Bookshelf-Sites: /evil"))
    assert site.asked[0].headers.getall("Bookshelf-Sites") == ["/"]


async def test_a_request_of_another_site_to_the_api_or_the_gateway_never_reaches_a_service(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    paths = openapi_document("books", ("books",), "POST /books")["paths"]
    books = Service({**pages("books", "/"), "paths": paths})
    await network.service(books)
    await network.open(transport)
    for target in ("/bookshelf/books", "/apidocs/", "/gateway"):
        answer = await refused(network, target)
        assert (status(answer), b"problem:cross-origin" in answer) == (403, True)
    assert books.asked == []
