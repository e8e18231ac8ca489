"""A service `users` that answers a gateway's calls as a test wants, and a gateway with accounts before it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import OKPKey
from support.upstream import FakeCluster, Json, Service, openapi_document

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport, NoResponse
from bookshelf.http.message import Request, Response, request
from bookshelf.runtime.api.identity import SERVICE, SignedCallers
from gateway.app import Gateway
from gateway.auth import Verifier
from gateway.options import GatewayOptions

CALLERS = SignedCallers(b"a secret of this test")
KEY, OTHER = (OKPKey.generate_key("Ed25519", {"kid": f"2026-1{n}"}) for n in "12")
ANN, SESSION = "a-1", "s-1"
COOKIE = "s-1.mac"
NOW = 1_800_000_000.0


class FakeUsers(Service):
    """The sessions by their cookies; `now` is the time of everything."""

    def __init__(self) -> None:
        super().__init__(openapi_document("users", ("accounts", "users"), "GET /accounts/me"))
        self.now = NOW
        self.keys = [KEY]
        self.sessions: dict[str, dict[str, Any]] = {COOKIE: {}}
        self.exchanges: list[str] = []
        self.key_requests = 0
        self.polls: list[str] = []
        self.revoked: Json = {"after": "", "sessions": [], "epochs": {}}
        self.polled = asyncio.Event()
        #: While it is not set, exchanges wait. `breaks`: how many of the next ones get no response.
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.breaks = 0
        self.is_down = False

    def claims(self, **given: Any) -> Json:  # noqa: ANN401 (JSON)
        """Return the claims of Ann's token."""
        return {
            "iss": "bookshelf",
            "aud": "bookshelf",
            "sub": ANN,
            "sid": SESSION,
            "epoch": 0,
            "exp": int(self.now) + 600,
            "iat": int(self.now),
            "scope": "read write",
            **given,
        }

    def token(self, key: OKPKey = KEY, typ: str = "at+jwt", **given: Any) -> str:  # noqa: ANN401 (JSON)
        """Return a token of Ann with such claims."""
        head = {"alg": "Ed25519", "kid": key.kid, "typ": typ}
        return jwt.encode(head, self.claims(**given), key, algorithms=["Ed25519"])

    async def handle(self, request: Request) -> Response:
        """Answer a call of the gateway, or the request of a client."""
        path, _, query = request.target.partition("?")
        if self.is_down and path != "/openapi.json":
            return Response(500, {})
        if path == "/accounts/.well-known/jwks.json":
            self.key_requests += 1
            return _json({"keys": [key.as_dict(private=False) for key in self.keys]})
        if path in {"/accounts/exchange", "/accounts/revocations"}:
            assert CALLERS.of(request) == SERVICE
            return await (self._exchange(request) if path.endswith("exchange") else self._poll(query))
        return await super().handle(request)

    async def _exchange(self, request: Request) -> Response:
        cookie = msgspec.json.decode(await request.body.read(1000))["session"]
        self.exchanges.append(cookie)
        await self.may_answer.wait()
        if self.breaks:
            self.breaks -= 1
            raise NoResponse("the connection broke")
        if cookie not in self.sessions:
            return Response(401, {"WWW-Authenticate": "Bearer"})
        return _json({"access_token": self.token(**self.sessions[cookie]), "expires_in": 600, "scope": ""})

    async def _poll(self, query: str) -> Response:
        self.polls.append(query)
        if query == f"after={self.revoked['after']}":
            self.polled.clear()
            await self.polled.wait()
        return _json(self.revoked)

    def revoke(self, sessions: tuple[str, ...] = (), **epochs: int) -> None:
        """Answer the gateway that waits."""
        self.revoked = {
            "after": f"0@{len(self.polls)}",
            "sessions": list(sessions),
            "epochs": {name.replace("_", "-"): epoch for name, epoch in epochs.items()},
        }
        self.polled.set()


def _json(body: object) -> Response:
    return Response(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


class GatewayWithAccounts(FakeCluster):
    """A gateway with accounts, the service users, and an API and a page of the test."""

    def __init__(self, users: FakeUsers, verifier: Verifier | None = None) -> None:
        discovery, transport = LocalDiscovery(), LocalTransport()
        options = GatewayOptions(callers=CALLERS, verifier=verifier)
        super().__init__(
            Gateway(discovery, transport, options=options, now=lambda: users.now), discovery, transport
        )
        self.users = users
        document = openapi_document(
            "books", ("books",), "GET /open", "GET /books", "POST /books", "GET /admin"
        )
        for path, scopes in (("/books", ["read"]), ("/admin", ["accounts:admin"])):
            for operation in document["paths"][path].values():
                operation["security"] = [{"token": scopes}]
        self.books = Service(document)
        self.site = Service({"x-bookshelf": {"service": "site", "tags": ["site"], "root": "/"}, "paths": {}})

    async def get(self, target: str = "/bookshelf/books", cookie: str = COOKIE, **headers: str) -> Response:
        """Send a GET request of a browser on this machine."""
        given = {"Cookie": f"session={cookie}"} if cookie else {}
        return await self.gateway.handle(request("GET", target, b"", **given, **headers))

    async def bearer(self, token: str, target: str = "/bookshelf/books") -> int:
        """Send a GET request with a token; return the status."""
        return (await self.get(target, "", Authorization=f"Bearer {token}")).status


@asynccontextmanager
async def gateway_with_accounts(
    users: FakeUsers | None = None, verifier: Verifier | None = None
) -> AsyncIterator[GatewayWithAccounts]:
    """Run the gateway until the block ends."""
    made = GatewayWithAccounts(users or FakeUsers(), verifier)
    for service in (made.users, made.books, made.site):
        await made.add(service)
    await made.gateway.start()
    yield made
    await made.gateway.stop()
