"""People sign in to the pages of a node: their tokens, the scope, and the end of their sessions."""

import base64
from typing import Any

import msgspec
import pytest

from bookshelf.cli.node_console import NodeSessions
from bookshelf.cli.node_people import NodePeople
from bookshelf.cqrs.handler import GUEST
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.client import HttpTransport, LocalTransport, Unreachable
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.identity import SignedCallers

CALLERS = SignedCallers(b"a secret of this test")
BROWSER = {"X-Forwarded-For": "10.0.0.9", "User-Agent": "a browser"}
TOKEN_S = 600


class FewUsers:
    """A service `users` of one person, whose session is `s-1`; it notes what it is asked for."""

    def __init__(self) -> None:
        self.scope = "read cluster:read"
        self.is_open = True
        self.is_down = False
        self.asked: list[str] = []

    async def handle(self, request: Request) -> Response:
        """Answer a sign-in, a renewal, or a sign-out."""
        if self.is_down:
            raise Unreachable
        self.asked.append(request.target)
        if request.target == "/accounts/logout":
            caller = CALLERS.of(request)
            assert (caller.account, caller.session) == ("a-1", "s-1")
            self.is_open = False
            return Response(204, {})
        assert CALLERS.of(request) == GUEST
        assert {name: request.headers[name] for name in BROWSER} == BROWSER
        body = msgspec.json.decode(await request.body.read(1 << 16))
        if not self.is_open or body.get("password", "right") != "right":
            return _json(401, {"detail": "wrong"})
        payload = base64.urlsafe_b64encode(b'{"sid":"s-1"}').decode().rstrip("=")
        return _json(
            200,
            {
                "access_token": f"head.{payload}.signature",
                "refresh_token": f"r-{len(self.asked)}",
                "expires_in": TOKEN_S,
                "scope": self.scope,
                "account": "a-1",
            },
        )


def _json(status: int, body: Any) -> Response:  # noqa: ANN401 (JSON)
    return Response(status, {"Content-Type": "application/json"}, msgspec.json.encode(body))


@pytest.fixture
def users() -> FewUsers:
    return FewUsers()


@pytest.fixture
async def people(users: FewUsers) -> NodePeople:
    discovery, transport = LocalDiscovery(), LocalTransport(HttpTransport())
    transport.attach("users", 1, users)
    foreign = Instance(
        id="x", service="users", tags=("accounts", "users"), address="stranger", port=1, foreign=True
    )
    await discovery.register(foreign)
    await discovery.register(msgspec.structs.replace(foreign, id="u", address="users", foreign=False))
    return NodePeople(discovery, transport, CALLERS)


async def test_a_person_is_signed_in_while_the_account_has_its_session_and_the_scope(
    users: FewUsers, people: NodePeople
) -> None:
    now = [0.0]
    sessions = NodeSessions("token", people, lambda: now[0])
    session = await sessions.begin_for("ann", "right", BROWSER)
    assert await sessions.admits(session, BROWSER)
    assert users.asked == ["/accounts/login"]  # the tokens are valid: the accounts are not asked
    now[0] += TOKEN_S
    users.is_down = True
    assert not await sessions.admits(session, BROWSER)  # the accounts cannot be asked
    users.is_down = False
    assert await sessions.admits(session, BROWSER)
    assert users.asked == ["/accounts/login", "/accounts/refresh"]
    now[0] += TOKEN_S
    users.scope = "read"
    assert not await sessions.admits(session, BROWSER)
    users.scope = "read cluster:read"
    assert not await sessions.admits(session, BROWSER)  # it is over for good


async def test_a_person_without_the_scope_gets_no_session(users: FewUsers, people: NodePeople) -> None:
    users.scope = "read write"
    with pytest.raises(Problem) as refused:
        await people.sign_in("ann", "right", BROWSER)
    assert (refused.value.kind, users.is_open) == ("forbidden", False)


async def test_a_wrong_password_and_a_service_that_is_away_are_refused(
    users: FewUsers, people: NodePeople
) -> None:
    with pytest.raises(Problem) as refused:
        await people.sign_in("ann", "guessed", BROWSER)
    assert refused.value.kind == "unauthenticated"
    users.is_down = True
    with pytest.raises(Problem) as refused:
        await people.sign_in("ann", "right", BROWSER)
    assert refused.value.kind == "unavailable"


async def test_signing_out_ends_the_session_of_the_account(users: FewUsers, people: NodePeople) -> None:
    sessions = NodeSessions("token", people)
    session = await sessions.begin_for("ann", "right", BROWSER)
    await sessions.end(session)
    assert (users.is_open, await sessions.admits(session, BROWSER)) == (False, False)


async def test_without_accounts_there_is_no_sign_in_by_one() -> None:
    with pytest.raises(Problem):
        await NodeSessions("token", None).begin_for("ann", "right", BROWSER)
