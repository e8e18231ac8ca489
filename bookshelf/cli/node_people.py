"""Signs people in to the pages of a node by their accounts, which the service `users` has."""

import base64
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from bookshelf.cli.any_instance import send_to_any
from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import NoResponse, Transport
from bookshelf.http.message import BrokenBody, Response, TooLarge, read_response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.identity import Callers

#: The tags of the service that has the accounts, and the scope that the pages of a node need.
USERS, SCOPE = ("accounts", "users"), "cluster:read"
_MOST = 1 << 20
_OK, _REFUSED, _DEFECT = 200, 400, 500


class PersonTokens(msgspec.Struct, frozen=True):
    """The tokens of a person that has signed in. `expires_in`: seconds after which they are renewed."""

    access_token: str
    refresh_token: str
    expires_in: int
    scope: str
    account: str


class _TokenClaims(msgspec.Struct, frozen=True):
    sid: str


class _Refusal(msgspec.Struct, frozen=True):
    detail: str = ""


class NodePeople:
    """Asks any instance of `users`, but none that another program has registered: it gets passwords."""

    def __init__(self, discovery: Discovery, transport: Transport, callers: Callers) -> None:
        self._discovery = discovery
        self._transport = transport
        self._callers = callers

    @classmethod
    def of(cls, discovery: Discovery, transport: Transport, callers: Callers) -> "NodePeople | None":
        """Return what signs people in; None without accounts."""
        return cls(discovery, transport, callers) if callers.has_accounts else None

    async def sign_in(self, login: str, password: str, browser: Mapping[str, str]) -> PersonTokens:
        """Return the tokens of a person that may see the nodes. `browser`: header fields that name it.

        Raises `Problem`: unauthenticated, too-many, forbidden without the scope, unavailable.
        """
        body = {"login": login, "password": password}
        tokens = _decoded(await self._ask("/accounts/login", body, browser), PersonTokens)
        try:
            return _allowed(tokens)
        except Problem:
            await self.sign_out(tokens)
            raise

    async def renew(self, tokens: PersonTokens, browser: Mapping[str, str]) -> PersonTokens:
        """Return the next tokens. Raises `Problem`: unauthenticated if the session is over, and as above."""
        body = {"refresh_token": tokens.refresh_token}
        return _allowed(_decoded(await self._ask("/accounts/refresh", body, browser), PersonTokens))

    async def sign_out(self, tokens: PersonTokens) -> None:
        """End the session of a person. Raises `Problem`: unavailable."""
        caller = Caller(
            actor=tokens.account,
            account=tokens.account,
            owner=tokens.account,
            scopes=frozenset(tokens.scope.split()),
            session=_session_of(tokens),
        )
        await self._ask("/accounts/logout", {}, {}, caller)

    async def _ask(
        self, path: str, body: Mapping[str, str], browser: Mapping[str, str], caller: Caller = GUEST
    ) -> tuple[Response, bytes]:
        instances = self._discovery.snapshot().having(USERS)
        content = msgspec.json.encode(body)
        asked = request("POST", path, content, Content_Type="application/json", **browser)
        self._callers.sign(caller, asked)
        try:
            answer = await send_to_any(instances, self._transport, asked)
            if answer is not None:
                return answer, await read_response(answer, _MOST)
        except (NoResponse, BrokenBody, TooLarge) as fault:
            raise Problem("unavailable", f"the accounts have not answered: {fault}") from None
        raise Problem("unavailable", "no instance of the service `users` is ready")


def _allowed(tokens: PersonTokens) -> PersonTokens:
    if SCOPE not in tokens.scope.split():
        raise Problem("forbidden", f"this needs the scope {SCOPE}, which the account does not have")
    return tokens


def _session_of(tokens: PersonTokens) -> str:
    """Return the session that an access token names; the service that has signed it has just sent it."""
    payload = tokens.access_token.split(".")[1]
    claims = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    return msgspec.json.decode(claims, type=_TokenClaims).sid


T = TypeVar("T")
_KINDS = {401: "unauthenticated", 429: "too-many"}


def _decoded(found: tuple[Response, bytes], kind: type[T]) -> T:
    """Return the body of an answer. Raises `Problem` for a refusal."""
    answer, content = found
    try:
        if answer.status == _OK:
            return msgspec.json.decode(content, type=kind)
        detail = msgspec.json.decode(content, type=_Refusal).detail
    except msgspec.MsgspecError:
        detail = f"the accounts have answered with the status {answer.status}"
    usual = "invalid" if _REFUSED <= answer.status < _DEFECT else "unavailable"
    raise Problem(_KINDS.get(answer.status, usual), detail)
