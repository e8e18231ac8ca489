"""A browser registers, signs in, is known to the services, and signs out: gateway and users together."""

import asyncio
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Self

import msgspec
import pytest
from multidict import CIMultiDict
from support.shelf import DEADLINE_S, JSON
from support.users import ANN, PASSWORD, Users

from bookshelf.http.message import Response, request
from bookshelf.runtime.api.identity import SignedCallers
from gateway.app import Gateway
from gateway.options import GatewayOptions

CALLERS = SignedCallers(b"a secret of this test")
SIGN_IN = {"login": "ann", "password": PASSWORD, "browser": True}


class Browser:
    """Keeps the cookies of the gateway's answers."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.cookies: dict[str, str] = {}

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Response:
        """Send a request below the prefix, with the cookies; those of the answer are kept."""
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers |= {"Cookie": sent} if sent else {}
        content = b"" if body is None else msgspec.json.encode(body)
        async with asyncio.timeout(DEADLINE_S):
            answer = await self._gateway.handle(
                request(method, f"/bookshelf{path}", content, Content_Type=JSON, **headers)
            )
        for line in CIMultiDict(answer.headers).getall("Set-Cookie", ()):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return answer

    async def me(self, **headers: str) -> int:
        """Return the status of one's account."""
        return (await self.send("GET", "/accounts/me", **headers)).status


class Accounts(Users):
    """The service users behind a gateway."""

    def __init__(self) -> None:
        super().__init__(CALLERS)
        stands_on = self._shelf.infrastructure
        self.gateway = Gateway(
            stands_on.discovery,
            stands_on.transport,
            options=GatewayOptions(callers=CALLERS),
            now=lambda: self.clock.now().timestamp(),
        )

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.gateway.start()
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self.gateway.stop()
        await super().__aexit__(*fault)


@pytest.fixture
async def accounts() -> AsyncIterator[Accounts]:
    async with Accounts() as accounts:
        yield accounts


async def refused(browser: Browser, **headers: str) -> None:
    """Wait until the gateway has learned that a session is over."""
    async with asyncio.timeout(DEADLINE_S):
        while await browser.me(**headers) != 401:  # noqa: ASYNC110 (the poll has no event here)
            await asyncio.sleep(0.01)  # sleep: between two looks


async def test_a_browser_signs_in_and_out(accounts: Accounts) -> None:
    browser, program = Browser(accounts.gateway), Browser(accounts.gateway)
    assert (await browser.send("POST", "/accounts", ANN)).status == 201
    assert await browser.me() == 401
    assert (await browser.send("POST", "/accounts/login", SIGN_IN)).status == 204
    assert browser.cookies.keys() == {"session", "device"}
    assert await browser.me() == 200
    tokens = await browser.send("POST", "/accounts/login", {**SIGN_IN, "browser": False})
    assert isinstance(tokens.body, bytes)
    bearer = f"Bearer {msgspec.json.decode(tokens.body)['access_token']}"
    assert await program.me(Authorization=bearer) == 200
    assert (await browser.send("POST", "/accounts/logout", {"everywhere": True})).status == 204
    assert "session" not in browser.cookies
    assert await browser.me() == 401
    await refused(program, Authorization=bearer)


async def test_a_session_that_was_planted_in_a_browser_is_replaced_at_sign_in(accounts: Accounts) -> None:
    attacker, victim = Browser(accounts.gateway), Browser(accounts.gateway)
    await attacker.send("POST", "/accounts", ANN)
    await attacker.send("POST", "/accounts/login", SIGN_IN)
    planted = victim.cookies["session"] = attacker.cookies["session"]
    await victim.send("POST", "/accounts/login", SIGN_IN)
    assert victim.cookies["session"] != planted
    await victim.send("POST", "/accounts/logout", {})
    assert (await attacker.me(), await victim.me()) == (200, 401)  # each is a session of its own


async def test_a_session_that_is_ended_elsewhere_is_over_for_the_browser(accounts: Accounts) -> None:
    browser, other = Browser(accounts.gateway), Browser(accounts.gateway)
    await browser.send("POST", "/accounts", ANN)
    for each in (browser, other):
        await each.send("POST", "/accounts/login", SIGN_IN)
        assert await each.me() == 200
    session = browser.cookies["session"].partition(".")[0]
    assert (await other.send("DELETE", f"/accounts/sessions/{session}")).status == 204
    await refused(browser)
    assert "session" not in browser.cookies
    assert await other.me() == 200


async def test_the_gateway_has_no_route_to_internal_operations(accounts: Accounts) -> None:
    browser = Browser(accounts.gateway)
    await browser.send("POST", "/accounts", ANN)
    await browser.send("POST", "/accounts/login", SIGN_IN)
    cookie = {"session": browser.cookies["session"]}
    assert (await browser.send("POST", "/accounts/exchange", cookie)).status in {404, 405}
    assert (await browser.send("GET", "/accounts/revocations")).status in {403, 404}
