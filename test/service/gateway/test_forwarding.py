"""What a service is asked, and what the client gets of its answer."""

import pytest
from multidict import CIMultiDict
from support.upstream import FakeCluster, Service, json_of, openapi_document, pieces, whole

from bookshelf.http.message import Response, request

LIST = openapi_document("booklist", ("books", "list"), "GET /books", "GET /books/{id}")
NEW = openapi_document("newbook", ("books", "new"), "POST /books", "DELETE /books/{id}")
LAST = openapi_document("lastreadbooks", ("books", "last"), "GET /books/last/read")


async def test_each_request_reaches_the_service_of_its_route(cluster: FakeCluster) -> None:
    services = [Service(document) for document in (LIST, NEW, LAST)]
    for service in services:
        await cluster.add(service)
    await cluster.gateway.start()
    for method, target in (
        ("GET", "/bookshelf/books?limit=2&q=a%20b"),
        ("POST", "/bookshelf/books"),
        ("GET", "/bookshelf/books/last/read"),
        ("DELETE", "/bookshelf/books/7"),
        ("GET", "/bookshelf/books/7"),
    ):
        assert (await cluster.gateway.handle(request(method, target))).status == 200
    assert [[(asked.method, asked.target) for asked in service.asked] for service in services] == [
        [("GET", "/books?limit=2&q=a%20b"), ("GET", "/books/7")],
        [("POST", "/books"), ("DELETE", "/books/7")],
        [("GET", "/books/last/read")],
    ]


async def test_a_path_reaches_the_service_exactly_as_it_was_sent(cluster: FakeCluster) -> None:
    service = Service(LIST)
    await cluster.add(service)
    await cluster.gateway.start()
    raw = [
        "/books/..",
        "/books/%2e%2e",
        "/books/a%2F..%2fb",
        "/books/a;b=c,d",
        "/books/%00",
        "/books/x?/../y?#"[:-1],
    ]
    for path in raw:
        await cluster.gateway.handle(request("GET", "/bookshelf" + path))
    assert [asked.target for asked in service.asked] == raw


@pytest.mark.parametrize(
    "target",
    [
        *("/bookshelf", "/bookshelf/", "/bookshelf//books", "//bookshelf/books", "/bookshelf/books/"),
        *("/bookshelf/../books", "/bookshelf/%2e%2e/health/live", "/bookshelf/books/../../health/live"),
        *("/bookshelf%2fbooks", "/%62ookshelf/books", "/BOOKSHELF/books", "/bookshelfs/books", "/books"),
        *(
            "/bookshelf/openapi.json",
            "/bookshelf/metrics",
            "/bookshelf/health/live",
            "/nothing",
            "/apidocs/../x",
        ),
        "/bookshelf/" + "a/" * 2000,
    ],
)
async def test_an_unknown_path_is_not_found(cluster: FakeCluster, target: str) -> None:
    service = Service(LIST)
    await cluster.add(service)
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("GET", target))
    assert (answer.status, json_of(answer)["type"]) == (404, "urn:bookshelf:problem:no-route")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert service.asked == []


@pytest.mark.parametrize(
    "target",
    [
        *(
            "http://127.0.0.1/bookshelf/books",
            "https://elsewhere.example/",
            "*",
            "",
            "bookshelf/books",
            "h:80",
        ),
        *(
            "/bookshelf/books#x",
            "/bookshelf/b ooks",
            "/bookshelf/b\u00e4r",
            "/bookshelf/\udcff",
            "/bookshelf/a\tb",
        ),
        *("/bookshelf/a\r\nX: y", "/bookshelf/books?\x00", "/bookshelf/books/%ff"),
    ],
)
async def test_an_invalid_path_is_malformed(cluster: FakeCluster, target: str) -> None:
    service = Service(LIST)
    await cluster.add(service)
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("GET", target))
    assert (answer.status, json_of(answer)["type"]) == (400, "urn:bookshelf:problem:malformed")
    assert service.asked == []


async def test_an_unknown_method_is_answered_405_with_allow(cluster: FakeCluster) -> None:
    for document in (LIST, NEW):
        await cluster.add(Service(document))
    await cluster.gateway.start()
    for method in ("PUT", "TRACE", "CONNECT", "NONSENSE"):
        answer = await cluster.gateway.handle(request(method, "/bookshelf/books"))
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


async def test_status_headers_and_body_are_forwarded(cluster: FakeCluster) -> None:
    headers = CIMultiDict(
        [("Location", "/books/7"), ("ETag", '"1"'), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    )
    await cluster.add(Service(NEW, Response(201, headers, b"made")))
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("POST", "/bookshelf/books", b"{}"))
    assert (answer.status, answer.body) == (201, b"made")
    assert list(answer.headers.items()) == [
        *{**headers, "Location": "/bookshelf/books/7"}.items(),
        ("Set-Cookie", "b=2"),
    ]


async def test_the_request_body_is_forwarded(cluster: FakeCluster) -> None:
    service = Service(NEW)
    await cluster.add(service)
    await cluster.gateway.start()
    await cluster.gateway.handle(request("POST", "/bookshelf/books", b"x" * 1_000_000))
    assert service.bodies == [b"x" * 1_000_000]


async def test_head_is_sent_to_the_get_route_and_keeps_its_length(cluster: FakeCluster) -> None:
    service = Service(LIST, Response(200, {"Content-Length": "42"}))
    await cluster.add(service)
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("HEAD", "/bookshelf/books"))
    assert (service.asked[0].method, answer.headers["Content-Length"], answer.body) == ("HEAD", "42", b"")


async def test_a_response_is_streamed(cluster: FakeCluster) -> None:
    await cluster.add(Service(LIST, Response(200, {}, pieces(b"a", b"b"))))
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("GET", "/bookshelf/books"))
    assert not isinstance(answer.body, bytes)
    assert await whole(answer) == b"ab"


async def test_a_defect_reveals_no_internals(cluster: FakeCluster) -> None:
    await cluster.add(Service(LIST, ZeroDivisionError("secret")))
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("GET", "/bookshelf/books"))
    assert (answer.status, json_of(answer)["type"]) == (500, "urn:bookshelf:problem:internal")
    assert b"secret" not in await whole(answer)


async def test_requests_are_counted_by_route_and_not_by_path(cluster: FakeCluster) -> None:
    await cluster.add(Service(LIST))
    await cluster.gateway.start()
    await cluster.gateway.handle(request("GET", "/bookshelf/books/7"))
    await cluster.gateway.handle(request("MADEUP", "/bookshelf/books/8"))
    page = (await whole(await cluster.gateway.handle(request("GET", "/metrics")))).decode()
    assert 'method="GET",route="/bookshelf/books/{id}",status="200"' in page
    assert 'method="other",route="none",status="405"' in page
    assert "MADEUP" not in page
