"""The client that commands reach a shelf with, over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.upstream import HOST

from bookshelf.cli.client import NoShelf, shelf
from bookshelf.config import Settings
from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer


class Proxy:
    """Stands before a shelf: notes the headers of requests, and gives one response."""

    def __init__(self) -> None:
        self.response = Response(200, {}, b'{"a": 1}')
        self.headers: list[dict[str, str]] = []
        self.port = 0

    async def handle(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return self.response


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    made = Proxy()
    server = HttpServer(made, HOST, 0)
    await server.start()
    made.port = server.port
    yield made
    await server.stop(0.1)


async def test_a_redirect_is_not_followed_and_its_address_is_named(tmp_path: Path, proxy: Proxy) -> None:
    proxy.response = Response(308, {"Location": "https://books.example/bookshelf/books"}, b"")
    async with shelf(Settings(data=str(tmp_path)), f"http://{HOST}:{proxy.port}") as found:
        with pytest.raises(NoShelf, match=r"redirects to https://books.example/bookshelf/books; name"):
            await found.post("/bookshelf/books", {"title": "Dune"}, "key")
    assert len(proxy.headers) == 1


async def test_the_user_name_and_password_of_a_url_are_sent_to_its_server(
    tmp_path: Path, proxy: Proxy
) -> None:
    async with shelf(
        Settings(data=str(tmp_path)), f"http://Aladdin:open%20sesame@{HOST}:{proxy.port}"
    ) as found:
        reply = await found.get("/bookshelf/books")
    assert (reply.status, reply.body) == (200, {"a": 1})
    assert proxy.headers[0]["Authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


async def test_a_shelf_with_accounts_leads_to_the_option_that_signs_in(tmp_path: Path, proxy: Proxy) -> None:
    proxy.response = Response(401, {}, b"{}")
    async with shelf(Settings(data=str(tmp_path)), f"http://{HOST}:{proxy.port}") as found:
        with pytest.raises(NoShelf, match=r"has accounts: sign in with --login"):
            await found.get("/bookshelf/books")
