"""Keys at an address: had when they are needed, kept while it is away, and asked for seldom."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from joserfc.jwk import OKPKey
from support.upstream import HOST, eventually, never

from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer
from gateway.auth import NoKeys
from gateway.jwt import BadKeys, UrlKeys


def keys(*names: str) -> Response:
    made = [OKPKey.generate_key("Ed25519", {"kid": name}).as_dict(private=False) for name in names]
    return Response(200, {}, json.dumps({"keys": made}).encode())


class Issuer:
    """Serves a given answer, or hangs; counts its requests."""

    def __init__(self) -> None:
        self.answer: Response | None = keys("first")
        self.asked = 0
        self.time = 0.0
        self.port = 0

    async def handle(self, _request: Request) -> Response:
        self.asked += 1
        return await never() if self.answer is None else self.answer

    def clock(self) -> float:
        return self.time

    def keys(self) -> UrlKeys:
        return UrlKeys(f"http://{HOST}:{self.port}/jwks.json", self.clock)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    server = HttpServer(made, HOST, 0, cancels=True)
    await server.start()
    made.port = server.port
    yield made
    await server.stop(0.1)


async def test_keys_are_loaded_when_first_needed(issuer: Issuer) -> None:
    found = issuer.keys()
    with pytest.raises(NoKeys):
        found.now()
    assert issuer.asked == 0
    assert await found.renewed()
    assert (set(found.now()), issuer.asked) == ({"first"}, 1)


async def test_a_rotated_key_is_loaded_when_a_token_names_it(issuer: Issuer) -> None:
    found = issuer.keys()
    await found.renewed()
    before = found.now()
    issuer.answer = keys("second")
    issuer.time += 10
    assert await found.renewed()
    assert set(found.now()) == {"second"}
    assert found.now() is not before


async def test_keys_are_loaded_at_most_once_in_ten_seconds(issuer: Issuer) -> None:
    found = issuer.keys()
    await found.renewed()
    issuer.time += 9
    assert [await found.renewed() for _ in range(100)] == [False] * 100
    issuer.time += 1
    assert [await found.renewed() for _ in range(100)] == [False] * 100  # the same ones
    assert issuer.asked == 2


async def test_old_keys_are_loaded_again(issuer: Issuer) -> None:
    found = issuer.keys()
    await found.renewed()
    issuer.answer = keys("second")
    issuer.time += 300
    found.now()
    assert issuer.asked == 1
    issuer.time += 1
    assert set(found.now()) == {"first"}  # nothing waits for them
    await eventually(lambda: set(found.now()) == {"second"})
    assert issuer.asked == 2


SECOND = keys("second").body
assert isinstance(SECOND, bytes)
BAD: dict[str, Response | None] = {
    "an error": Response(500, {}, b"{}"),
    "another address": Response(302, {"Location": "http://169.254.169.254/"}, b""),
    "too much": Response(200, {}, b" " * (1 << 16) + SECOND),
    "an endless nesting": Response(200, {}, b"[" * 60_000),
    "too many": keys(*map(str, range(101))),
    "no keys": Response(200, {}, b"<html>"),
    "a bomb": Response(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08"),
    "no answer": None,
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
async def test_an_invalid_answer_keeps_the_former_keys(issuer: Issuer, answer: Response | None) -> None:
    found = issuer.keys()
    await found.renewed()
    issuer.answer = answer
    issuer.time += 10
    assert not await found.renewed()
    assert (set(found.now()), issuer.asked) == ({"first"}, 2)


async def test_loading_keys_has_a_deadline(issuer: Issuer) -> None:
    found = issuer.keys()
    issuer.answer = None
    assert not await found.renewed()
    assert "keys of tokens" in {task.get_name() for task in asyncio.all_tasks()}


async def test_an_unreachable_key_url_is_tried_again_later(issuer: Issuer) -> None:
    found = issuer.keys()
    issuer.answer = Response(503, {})
    assert not await found.renewed()
    with pytest.raises(NoKeys):
        found.now()
    issuer.answer = keys("first")
    assert not await found.renewed()
    issuer.time += 10
    assert await found.renewed()
    assert set(found.now()) == {"first"}


@pytest.mark.parametrize(
    "url",
    [
        *("http://issuer.example/keys", "http://10.0.0.1/keys", "ftp://127.0.0.1/keys", "file:///keys"),
        *("https:///keys", "https://name:word@issuer.example/keys", "http://127.0.0.1@issuer.example/"),
    ],
)
def test_keys_are_loaded_over_tls_or_from_this_machine_only(url: str) -> None:
    with pytest.raises(BadKeys):
        UrlKeys(url)


@pytest.mark.parametrize("url", ["https://issuer.example/keys", "http://localhost/", "http://[::1]:80/"])
def test_allowed_key_urls_are_accepted(url: str) -> None:
    UrlKeys(url)
