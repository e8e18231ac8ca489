"""What gateways ask of the service: tokens for session cookies, and what was revoked."""

import asyncio
from base64 import urlsafe_b64decode
from datetime import timedelta

import msgspec
from support.openapi_documents import understood
from support.shelf import Answered
from support.users import BEN, USERS, Users, caller

from bookshelf.accounts.handlers.routes import account_routes
from bookshelf.cqrs.handler import GUEST, INTERNAL
from bookshelf.runtime.api.identity import SERVICE
from bookshelf.runtime.openapi import document
from gateway.routing.catalog import RouteTable
from gateway.routing.rules import Rules
from gateway.upstream.pool import Pools

EXCHANGE, REVOCATIONS = "/accounts/exchange", "/accounts/revocations"


async def exchange(users: Users, cookie: str) -> Answered:
    return await users.send("POST", EXCHANGE, {"session": cookie}, SERVICE)


async def revoked(users: Users, after: str | None = None) -> Answered:
    await users.caught_up()
    query = "" if after is None else f"?after={after}"
    return await users.send("GET", REVOCATIONS + query, None, SERVICE)


def test_a_gateway_routes_no_internal_operation(users: Users) -> None:
    service = USERS.loaded()
    published = understood(document(service, secured=True))
    table = RouteTable((published,), Rules(), Pools(), "/bookshelf")
    internal = {
        (route.method, route.path) for route in account_routes(users.parts) if route.requires == INTERNAL
    }
    assert internal == {("POST", EXCHANGE), ("GET", REVOCATIONS)}
    assert not internal & table.granted["users"]
    assert len(table.granted["users"]) == len(service.serves) - len(internal)
    assert table.refused == []


async def test_only_our_own_processes_may_call_internal_operations(users: Users) -> None:
    account = await users.register()
    cookie = await users.session_cookie()
    person, admin = caller(account, "read", "write"), caller("a-0", "accounts:admin", "accounts:read")
    for by, status in ((GUEST, 401), (person, 403), (admin, 403), (SERVICE, 200)):
        assert (await users.send("POST", EXCHANGE, {"session": cookie}, by)).status == status
        assert (await users.send("GET", REVOCATIONS, None, by)).status == status


async def test_a_session_cookie_is_exchanged_for_a_token_of_its_person(users: Users) -> None:
    account = await users.register()
    cookie = await users.session_cookie()
    answer = await exchange(users, cookie)
    assert (answer.status, answer.json["expires_in"]) == (200, 600)
    assert answer.headers["Cache-Control"] == "no-store"
    part = answer.json["access_token"].split(".")[1]
    claims = msgspec.json.decode(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert (claims["sub"], claims["sid"]) == (account, cookie.partition(".")[0])
    assert claims["scope"] == answer.json["scope"] == "read write shop:buy"


async def test_a_session_of_staff_ends_unless_it_is_exchanged_again_in_time(users: Users) -> None:
    account = await users.register()
    await users.send("PUT", f"/accounts/{account}/groups/manager", None, caller("a-0", "accounts:admin"))
    cookie = await users.session_cookie()
    for minutes, status in ((24, 200), (24, 200), (26, 401)):  # 10 of the token, 15 idle
        users.clock.move(timedelta(minutes=minutes))
        assert (await exchange(users, cookie)).status == status


async def test_a_session_ends_in_any_case_after_12_hours(users: Users) -> None:
    await users.register()
    cookie = await users.session_cookie()
    for hours, status in ((11, 200), (1, 401)):
        users.clock.move(timedelta(hours=hours))
        assert (await exchange(users, cookie)).status == status


async def test_a_cookie_that_is_no_open_session_of_a_browser_is_401(users: Users) -> None:
    account = await users.register()
    tokens = (await users.sign_in()).json["refresh_token"]
    cookie, other = await users.session_cookie(), await users.session_cookie()
    own = caller(account, session=cookie.partition(".")[0])
    await users.send("POST", "/accounts/logout", None, own)
    swapped = f"{other.partition('.')[0]}.{cookie.partition('.')[2]}"
    for value in ("", "x", cookie, swapped, tokens, other + "x", other.upper()):
        assert (await exchange(users, value)).status == 401, value
    assert (await exchange(users, other)).status == 200
    await users.send("POST", "/accounts/logout", {"everywhere": True}, own)
    assert (await exchange(users, other)).status == 401
    assert (await users.send("POST", EXCHANGE, {"session": "x" * 201}, SERVICE)).status == 422


async def test_each_way_to_end_sessions_is_a_revocation(users: Users) -> None:
    ann, ben = await users.register(), await users.register(**BEN)
    admin = caller("a-0", "accounts:admin")
    cookie = await users.session_cookie()
    session = cookie.partition(".")[0]
    first = (await revoked(users)).json
    assert (first["sessions"], first["epochs"]) == ([], {})
    await users.send("POST", "/accounts/logout", None, caller(ann, session=session))
    second = (await revoked(users, first["after"])).json
    assert (second["sessions"], second["epochs"]) == ([session], {})
    await users.send("PUT", f"/accounts/{ann}/suspended", None, admin)
    await users.send("DELETE", f"/accounts/{ann}/sessions", None, admin)
    await users.send("DELETE", f"/accounts/{ben}", None, admin)
    third = (await revoked(users, second["after"])).json
    assert third["sessions"] == []
    assert third["epochs"] == {ann: 2, ben: 2**31 - 1}
    whole = (await revoked(users)).json  # a gateway that begins
    assert (whole["sessions"], whole["epochs"], whole["after"]) == (
        [session],
        third["epochs"],
        third["after"],
    )


async def test_revocations_are_listed_as_long_as_the_longest_token_lives(users: Users) -> None:
    account = await users.register()
    await users.send("POST", "/accounts/logout", {"everywhere": True}, caller(account))
    assert (await revoked(users)).json["epochs"] == {account: 1}
    users.clock.move(timedelta(minutes=61))
    assert (await revoked(users)).json["epochs"] == {}


async def test_a_gateway_waits_until_something_is_revoked(users: Users) -> None:
    account = await users.register()
    known = (await revoked(users)).json["after"]
    waiting = asyncio.ensure_future(revoked(users, known))
    await asyncio.sleep(0)  # sleep: a turn for the request
    await users.send("POST", "/accounts/logout", {"everywhere": True}, caller(account))
    assert (await waiting).json["epochs"] == {account: 1}


async def test_places_that_cannot_be_read_are_422(users: Users) -> None:
    for after in ("x", "1", "0@", "0@1,x", "-1@2"):
        assert (await revoked(users, after)).status == 422, after
