"""Browsers at the gateway: a session cookie becomes the identity that services get; tokens are verified."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from multidict import CIMultiDict
from support.fake_users import (
    ANN,
    CALLERS,
    COOKIE,
    OTHER,
    SESSION,
    FakeUsers,
    GatewayWithAccounts,
    gateway_with_accounts,
)
from support.upstream import DEADLINE_S, Service, eventually, never, openapi_document

from bookshelf.concurrency import cancel_and_wait
from bookshelf.discovery.port import Instance
from bookshelf.http.message import Request, Response, request
from gateway.auth import BadToken, Identity, Verifier
from gateway.ingress.middleware import Cors, Ingress, IngressPolicy

PERSON = (ANN, "read write", SESSION)


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayWithAccounts]:
    async with gateway_with_accounts() as made:
        yield made


def caller(asked: Request) -> tuple[str | None, str, str | None]:
    """Return the person that a service takes as the caller of a request."""
    found = CALLERS.of(asked)
    return found.account, " ".join(sorted(found.scopes or ())), found.session


def set_cookies(response: Response) -> list[str]:
    return CIMultiDict(response.headers).getall("Set-Cookie", [])


async def test_the_services_of_api_and_pages_get_the_person_of_the_session(
    gateway: GatewayWithAccounts,
) -> None:
    assert (await gateway.get()).status == 200
    assert (await gateway.get("/books")).status == 200
    assert [caller(asked) for asked in (*gateway.books.asked, *gateway.site.asked)] == [PERSON, PERSON]
    assert gateway.users.exchanges == [COOKIE]
    assert gateway.users.key_requests == 1


async def test_no_service_sees_the_session_cookie(gateway: GatewayWithAccounts) -> None:
    await gateway.get("/books", "", Cookie=f"theme=dark; session={COOKIE}; device=d; __Host-session=x")
    await gateway.get("/books")
    assert [asked.headers.get("Cookie") for asked in gateway.site.asked] == ["theme=dark; device=d", None]
    assert caller(gateway.site.asked[0]) == PERSON


async def test_identity_fields_of_a_client_are_removed(gateway: GatewayWithAccounts) -> None:
    forged = {"Bookshelf_Actor": "a-0", "Bookshelf_Scopes": "accounts:admin", "Bookshelf_Session": "s-0"}
    signature = {"Bookshelf_Signature": "1800000000." + "0" * 64}
    await gateway.get("/bookshelf/open", "", **forged, **signature)
    await gateway.get("/bookshelf/open", **forged, **signature)
    first, second = gateway.books.asked
    assert not [
        name
        for name in first.headers
        if name in {"Bookshelf-Actor", "Bookshelf-Scopes", "Bookshelf-Signature"}
    ]
    assert caller(second) == PERSON


@pytest.mark.parametrize("cookie", ["s-9.mac", "x", "a b", "a" * 300, '"s-1.mac"', "é"])
async def test_a_cookie_that_is_no_session_is_a_guest_s_and_is_deleted(
    gateway: GatewayWithAccounts, cookie: str
) -> None:
    answers = [await gateway.get("/bookshelf/open", cookie), await gateway.get("/bookshelf/books", cookie)]
    assert [answer.status for answer in answers] == [200, 401]
    deleted = ["session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]
    assert [set_cookies(answer) for answer in answers] == [deleted, deleted]
    assert caller(gateway.books.asked[0])[0] is None
    assert len(gateway.users.exchanges) <= 1  # what is known to be over is not asked again


async def test_over_tls_only_the_cookie_of_one_host_counts(gateway: GatewayWithAccounts) -> None:
    for name, status in (("session", 401), ("__Host-session", 200)):
        asked = request("GET", "/bookshelf/books", b"", Cookie=f"{name}={COOKIE}")
        asked.secure = True
        assert (await gateway.gateway.handle(asked)).status == status
    ended = request("GET", "/bookshelf/open", b"", Cookie="__Host-session=s-9.mac")
    ended.secure = True
    [deleted] = set_cookies(await gateway.gateway.handle(ended))
    assert deleted == "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"


async def test_two_session_cookies_are_none(gateway: GatewayWithAccounts) -> None:
    assert (await gateway.get("/bookshelf/books", f"{COOKIE}; session=s-2.mac")).status == 401
    assert gateway.users.exchanges == []


async def test_a_response_that_sets_a_session_keeps_it(gateway: GatewayWithAccounts) -> None:
    gateway.site.answers = [Response(303, {"Set-Cookie": "session=s-2.mac; Path=/", "Location": "/"})]
    assert set_cookies(await gateway.get("/account/sign-in", "s-9.mac")) == ["session=s-2.mac; Path=/"]


async def test_an_answer_that_shared_caches_keep_deletes_no_cookie(gateway: GatewayWithAccounts) -> None:
    gateway.site.answers = [Response(200, {"Cache-Control": "public, max-age=31536000, immutable"})]
    assert set_cookies(await gateway.get("/static/x/site.css", "s-9.mac")) == []


async def test_concurrent_requests_share_one_exchange(gateway: GatewayWithAccounts) -> None:
    gateway.users.may_answer.clear()
    requests = [asyncio.ensure_future(gateway.get()) for _ in range(20)]
    await eventually(lambda: gateway.users.exchanges == [COOKIE])
    requests[0].cancel()  # the one that began it
    gateway.users.may_answer.set()
    assert {(await answer).status for answer in requests[1:]} == {200}
    assert gateway.users.exchanges == [COOKIE]


async def test_an_exchange_that_got_no_response_is_sent_again(gateway: GatewayWithAccounts) -> None:
    gateway.users.breaks = 1
    assert (await gateway.get()).status == 200
    assert gateway.users.exchanges == [COOKIE, COOKIE]


async def test_the_token_that_was_used_longest_ago_is_dropped(
    gateway: GatewayWithAccounts,
) -> None:
    accounts = gateway.gateway._accounts  # noqa: SLF001 (its limit is 10,000)
    assert accounts is not None
    accounts.sessions.most = 2
    cookies = ["s-1.mac", "s-2.mac", "s-3.mac"]
    for number, cookie in enumerate(cookies):
        gateway.users.sessions[cookie] = {"sid": f"s-{number + 1}"}
        assert (await gateway.get("/bookshelf/books", cookie)).status == 200
    for cookie in (*cookies[1:], cookies[0]):
        assert (await gateway.get("/bookshelf/books", cookie)).status == 200
    assert gateway.users.exchanges == [*cookies, cookies[0]]


async def test_a_token_is_kept_until_30_s_before_its_end(gateway: GatewayWithAccounts) -> None:
    await gateway.get()
    gateway.users.now += 569
    await gateway.get()
    assert len(gateway.users.exchanges) == 1
    gateway.users.now += 2
    assert (await gateway.get()).status == 200
    await eventually(lambda: len(gateway.users.exchanges) == 2)
    gateway.users.now += 60
    assert (await gateway.get()).status == 200
    assert len(gateway.users.exchanges) == 2


async def test_people_with_a_token_continue_while_the_service_is_away(gateway: GatewayWithAccounts) -> None:
    await gateway.get()
    gateway.users.is_down = True
    gateway.users.now += 590
    assert (await gateway.get()).status == 200
    gateway.users.now += 20
    answer = await gateway.get()
    assert (answer.status, answer.headers["Retry-After"], set_cookies(answer)) == (503, "1", [])
    assert (await gateway.get("/bookshelf/open", "")).status == 200
    gateway.users.is_down = False
    assert (await gateway.get()).status == 200


async def test_an_ended_session_is_refused_once_it_is_known(gateway: GatewayWithAccounts) -> None:
    token = gateway.users.token()
    assert [(await gateway.get()).status, await gateway.bearer(token)] == [200, 200]
    gateway.users.sessions = {}
    gateway.users.revoke((SESSION,))
    await eventually(lambda: len(gateway.users.polls) == 3)
    answer = await gateway.get()
    assert (answer.status, len(set_cookies(answer))) == (401, 1)
    assert await gateway.bearer(token) == 401


async def test_tokens_of_a_former_epoch_are_refused(gateway: GatewayWithAccounts) -> None:
    tokens = [gateway.users.token(epoch=epoch, sid=f"s-{epoch}") for epoch in range(3)]
    assert [await gateway.bearer(token) for token in tokens] == [200, 200, 200]
    gateway.users.revoke(a_1=2)
    await eventually(lambda: len(gateway.users.polls) == 3)
    assert [await gateway.bearer(token) for token in tokens] == [401, 401, 200]
    assert await gateway.bearer(gateway.users.token(sub="a-2")) == 200


@pytest.mark.parametrize("revoked", [{"sessions": (SESSION,)}, {"a_1": 1}])
@pytest.mark.parametrize(
    ("status", "headers"), [(200, {"Content-Type": "text/event-stream"}), (101, {"Upgrade": "websocket"})]
)
async def test_a_stream_of_events_or_a_tunnel_ends_with_the_session_of_its_reader(
    gateway: GatewayWithAccounts, revoked: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await never()

    gateway.users.sessions["s-2.mac"] = {"sid": "s-2", "sub": "a-2"}
    streams = []
    for cookie in (COOKIE, "s-2.mac"):
        gateway.site.answers = [Response(status, headers, endless())]
        response = await gateway.get("/live", cookie)
        assert not isinstance(response.body, bytes)
        assert await anext(response.body) == b"data: 1\n\n"
        streams.append(response.body)
    others = asyncio.ensure_future(anext(streams[1], None))
    gateway.users.revoke(**revoked)
    async with asyncio.timeout(DEADLINE_S):
        assert await anext(streams[0], None) is None
    assert not others.done()
    await cancel_and_wait(others)


async def test_a_gateway_that_starts_knows_what_was_revoked_before() -> None:
    users = FakeUsers()
    users.revoke((SESSION,))
    async with gateway_with_accounts(users) as gateway:
        assert await gateway.bearer(users.token()) == 401
        assert users.polls[0] == ""


BAD = {
    "of another issuer": {"iss": "else"},
    "for another audience": {"aud": "else"},
    "expired": {"exp": 1_799_999_000},
    "of another type": {"typ": "JWT"},
    "of a foreign key": {"key": OTHER},
    "of the gateway's own name": {"sub": "service"},
}


@pytest.mark.parametrize("claims", BAD.values(), ids=BAD.keys())
async def test_bad_tokens_are_401_on_every_route(
    gateway: GatewayWithAccounts, claims: dict[str, object]
) -> None:
    token = gateway.users.token(**claims)  # type: ignore[arg-type]
    for target in ("/bookshelf/books", "/bookshelf/open", "/books"):
        answer = await gateway.get(target, COOKIE, Authorization=f"Bearer {token}")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert gateway.users.exchanges == []  # a cookie does not replace a bad token


async def test_a_valid_token_without_the_scope_is_403(gateway: GatewayWithAccounts) -> None:
    assert await gateway.bearer(gateway.users.token(), "/bookshelf/admin") == 403
    assert await gateway.bearer(gateway.users.token(scope="accounts:admin"), "/bookshelf/admin") == 200


async def test_no_token_gives_the_scope_of_our_own_processes(gateway: GatewayWithAccounts) -> None:
    await gateway.bearer(gateway.users.token(scope="read internal"))
    assert caller(gateway.books.asked[0])[1] == "read"


async def test_a_new_key_is_loaded_when_a_token_names_it(gateway: GatewayWithAccounts) -> None:
    assert await gateway.bearer(gateway.users.token()) == 200
    assert await gateway.bearer(gateway.users.token(OTHER)) == 401
    assert gateway.users.key_requests == 1  # not again so soon


class Names(Verifier):
    """Another issuer: its tokens are names."""

    def verify(self, token: str) -> Identity:
        if "." in token:
            raise BadToken("it is no name")
        return Identity(token, frozenset({"read"}), SESSION)

    async def renewed(self) -> bool:
        return False


async def test_tokens_of_another_issuer_are_accepted_beside_ours() -> None:
    async with gateway_with_accounts(verifier=Names()) as gateway:
        assert await gateway.bearer("oidc-user") == 200
        assert await gateway.bearer(gateway.users.token()) == 200
        assert await gateway.bearer(gateway.users.token(iss="else")) == 401
        gateway.users.revoke((SESSION,))  # of ours, whatever another issuer calls its sessions
        await eventually(lambda: len(gateway.users.polls) == 3)
        assert await gateway.bearer("oidc-user") == 200
        assert await gateway.bearer(gateway.users.token()) == 401


async def add_foreign(gateway: GatewayWithAccounts, service: Service, **meta: str) -> None:
    origin = service.document["x-bookshelf"]
    foreign = Instance(
        id="foreign",
        service=origin["service"],
        tags=tuple(origin["tags"]),
        address="127.0.0.1",
        port=9999,
        meta=meta,
        foreign=True,
    )
    gateway.transport.attach("127.0.0.1", 9999, service)
    await gateway.discovery.register(foreign)


async def test_a_foreign_service_of_the_same_name_is_never_asked(gateway: GatewayWithAccounts) -> None:
    stranger = FakeUsers()
    await add_foreign(gateway, stranger)
    for number in range(20):
        gateway.users.sessions[f"s-{number}.mac"] = {"sid": f"s-{number}"}
        assert (await gateway.get("/bookshelf/books", f"s-{number}.mac")).status == 200
    assert (stranger.exchanges, stranger.polls) == ([], [])


async def test_a_foreign_service_sets_no_session(gateway: GatewayWithAccounts) -> None:
    headers = CIMultiDict({"Set-Cookie": "theme=dark"})
    headers.extend(("Set-Cookie", f"{name}={COOKIE}; Path=/") for name in ("session", "__Host-session"))
    wiki = Service(openapi_document("wiki", ("wiki",), "GET /pages"), Response(200, headers))
    await add_foreign(gateway, wiki, openapi="/openapi.json")
    await eventually(lambda: "wiki" in gateway.gateway.directory.known.services)
    assert set_cookies(await gateway.get("/bookshelf/pages", "")) == ["theme=dark"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_changes_nothing_with_a_person_s_cookie(
    gateway: GatewayWithAccounts, headers: dict[str, str]
) -> None:
    ingress = Ingress(gateway.gateway, IngressPolicy(cors=Cors(["*"]), refuse=gateway.gateway.refuse))
    for target in ("/bookshelf/books", "/books/1/finish"):
        asked = request("POST", target, b"{}", Cookie=f"session={COOKIE}", Host="localhost", **headers)
        answer = await ingress.handle(asked)
        assert answer.status == (403 if target.startswith("/bookshelf") else 200)
    [shown] = gateway.site.asked  # shows what was typed, to a guest
    assert (shown.headers["Bookshelf-Refused"], caller(shown)[0]) == ("cross-origin", None)
    assert (gateway.books.asked, gateway.users.exchanges) == ([], [])
    own = request("POST", "/bookshelf/books", b"{}", Cookie=f"session={COOKIE}", Sec_Fetch_Site="same-origin")
    assert (await ingress.handle(own)).status == 200
    assert caller(gateway.books.asked[0]) == PERSON
