"""A browser reads what it wrote: the positions of its commands come back with its queries."""

from support.upstream import FakeCluster, Service, openapi_document

from bookshelf.http.message import Response, request

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")


def written(position: str) -> Response:
    return Response(201, {"Bookshelf-Position": position})


async def test_later_queries_and_commands_of_a_browser_carry_its_positions(
    cluster: FakeCluster,
) -> None:
    service = Service(BOOKS, written("bookshelf/0@41"), written("bookshelf/1@7"), Response(200, {}))
    await cluster.add(service)
    await cluster.gateway.start()
    cookie = "other=1"
    for _ in range(2):
        answer = await cluster.gateway.handle(request("POST", "/bookshelf/books", Cookie=cookie))
        cookie += "; " + answer.headers["Set-Cookie"].partition(";")[0]
    names = [pair.partition("=")[0] for pair in cookie.split("; ")]
    assert names == ["other", "bookshelf-after-bookshelf-0", "bookshelf-after-bookshelf-1"]
    await cluster.gateway.handle(request("GET", "/bookshelf/books", Cookie=cookie))
    asked = [request.headers.get("Bookshelf-After") for request in service.asked]
    assert asked[:2] == [None, "bookshelf/0@41"]
    assert set((asked[2] or "").split(", ")) == {"bookshelf/0@41", "bookshelf/1@7"}
    assert [asked.headers["Cookie"] for asked in service.asked] == ["other=1"] * 3


async def test_the_position_header_is_forwarded_to_clients_without_cookies(cluster: FakeCluster) -> None:
    await cluster.add(Service(BOOKS, written("bookshelf/0@41")))
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("POST", "/bookshelf/books"))
    assert answer.headers["Bookshelf-Position"] == "bookshelf/0@41"


async def test_positions_in_the_request_s_own_header_are_sent(cluster: FakeCluster) -> None:
    service = Service(BOOKS)
    await cluster.add(service)
    await cluster.gateway.start()
    cookie = "bookshelf-after=bookshelf/0@42"
    await cluster.gateway.handle(
        request("GET", "/bookshelf/books", Cookie=cookie, Bookshelf_After="bookshelf/1@7")
    )
    await cluster.gateway.handle(request("HEAD", "/bookshelf/books", Cookie=cookie))
    assert [asked.headers["Bookshelf-After"] for asked in service.asked] == [
        "bookshelf/1@7, bookshelf/0@42",
        "bookshelf/0@42",
    ]


async def test_an_answer_without_a_position_sets_no_cookie(cluster: FakeCluster) -> None:
    await cluster.add(Service(BOOKS))
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(
        request("GET", "/bookshelf/books", Cookie="bookshelf-after=bookshelf/0@42")
    )
    assert "Set-Cookie" not in answer.headers


async def test_an_invalid_position_cookie_is_ignored(cluster: FakeCluster) -> None:
    service = Service(BOOKS)
    await cluster.add(service)
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(
        request("GET", "/bookshelf/books", Cookie="bookshelf-after=\x01|../../x@y|@|")
    )
    assert answer.status == 200
    assert "Bookshelf-After" not in service.asked[0].headers
