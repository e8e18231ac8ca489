"""Sign-in, refresh and sign-out: every failure of a sign-in has one answer, and costs the same work."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from multidict import CIMultiDict

from bookshelf.accounts.account import ACCOUNT, Account, EndSessions, SetPassword
from bookshelf.accounts.claim import CLAIM
from bookshelf.accounts.fields import login_claim, prepare_password
from bookshelf.accounts.group import ADMIN
from bookshelf.accounts.handlers.guessing import SignInAttempt
from bookshelf.accounts.handlers.opened_account import scopes_of_groups
from bookshelf.accounts.handlers.parts import (
    AccountParts,
    HandlerCall,
    claim_secret,
    cookie,
    is_secure,
    network,
    own_account,
    program,
    secret_texts,
    unauthenticated,
)
from bookshelf.accounts.handlers.secret_texts import DEVICE_AGE, RefreshToken
from bookshelf.accounts.handlers.tokens import SigningKeyring, TokenClaims
from bookshelf.accounts.session import SESSION, EndSession, OpenSession, RotateRefresh, Session
from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.bodies import json_answer, no_content, read_body
from bookshelf.runtime.decoding import Decoder

#: The one text for every cause of a failed sign-in.
FAILED = "login or password is wrong, or sign-in is locked for a time"
#: How long a session lasts at most; how long it lasts unused, for members of some groups and for others.
SHORT, LONG = timedelta(hours=12), timedelta(days=30)
IDLE_S, IDLE_OF_STAFF_S = 7 * 86400, 900
STAFF = frozenset({"manager", ADMIN})
DEVICE_COOKIE = "device"
_MOST = 5000


class Login(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A sign-in by handle or e-mail address; with `browser` the answer has cookies in place of tokens."""

    login: Annotated[str, Meta(max_length=1000, examples=["ann"])]
    password: Annotated[str, Meta(max_length=_MOST)]
    browser: bool = False
    remember: bool = False


class TokensAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An access token and the refresh token for the next ones (RFC 6749, 5.1)."""

    access_token: Annotated[str, Meta(description="for the header Authorization: Bearer")]
    token_type: str = "Bearer"  # noqa: S105 (no secret)
    expires_in: Annotated[int, Meta(description="seconds that the access token is valid", examples=[600])]
    refresh_token: Annotated[str, Meta(description="for POST /accounts/refresh, once")]
    scope: Annotated[str, Meta(description="what the token allows, with spaces", examples=["read write"])]
    account: Annotated[str, Meta(description="the id of the account", examples=["a-1"])]


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    """A refresh token."""

    refresh_token: Annotated[str, Meta(max_length=200)]


class Logout(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What ends: this session, or with `everywhere` all sessions of the person."""

    everywhere: bool = False


_LOGIN, _REFRESH, _LOGOUT = Decoder(Login), Decoder(Refresh), Decoder(Logout)


@dataclass(frozen=True)
class SignIn:
    """The handlers of sign-in, refresh and sign-out."""

    parts: AccountParts

    async def login(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 200 with tokens, 204 with cookies, 401 with one text for every cause, or 429."""
        body: Login = await read_body(request, _LOGIN)
        if await self.parts.limits.is_network_blocked(network(request)):
            msg = "too many sign-ins of this network have failed; try again in 15 minutes"
            raise Problem("too-many", msg, Retry_After="900")
        account_id, account = await self._checked(request, body, context, ports)
        call = HandlerCall(request, context, ports)
        session_id = await self.open_session(
            call, account_id, account, browser=body.browser, remember=body.remember
        )
        if not body.browser:
            return json_answer(200, await self.tokens(account_id, account, session_id, 0, context.at, ports))
        return await self.cookies(call, account_id, session_id, remember=body.remember)

    async def cookies(
        self, call: HandlerCall, account_id: str, session_id: str, *, remember: bool = False
    ) -> Response:
        """Return 204 with the cookies of a browser's session and of its device."""
        request, context = call.request, call.context
        texts, secure = await secret_texts(call.ports), is_secure(request)
        known = texts.read_device_cookie(cookie(request, DEVICE_COOKIE), account_id, context.at)
        headers = CIMultiDict({"Cache-Control": "no-store"})
        age_s = int(LONG.total_seconds()) if remember else None
        value = texts.cookie(session_id)
        headers.add("Set-Cookie", _cookie(session_cookie(request), value, age_s, secure=secure))
        value = texts.device_cookie(account_id, context.at, known)
        age_s = int(DEVICE_AGE.total_seconds())
        headers.add("Set-Cookie", _cookie(DEVICE_COOKIE, value, age_s, secure=secure))
        return Response(204, headers)

    async def _checked(
        self, request: Request, body: Login, context: RequestContext, ports: HandlerPorts
    ) -> tuple[str, Account]:
        """Return the account of a right login and password. Raises `Problem`: unauthenticated."""
        claim = login_claim(await claim_secret(ports), body.login) or "none"
        account_id = (await ports.state(CLAIM, claim)).account
        account = await ports.state(ACCOUNT, account_id) if account_id else Account()
        texts = await secret_texts(ports)
        device = texts.read_device_cookie(cookie(request, DEVICE_COOKIE), account_id, context.at)
        attempt = SignInAttempt(account_id or claim, network(request), device)
        locked = await self.parts.limits.is_locked(attempt)
        hashed = await ports.open(account.password, "password") if account.is_open else None
        password = prepared_password(body.password)
        right = await self.parts.hasher.verify(hashed, password or "-")
        if hashed is None or password is None or not right or locked or account.suspended:
            if not locked:
                await self.parts.limits.note_failure(attempt)
            raise unauthenticated(FAILED)
        if self.parts.hasher.is_outdated(hashed):
            again = await ports.seal(account_id, "password", await self.parts.hasher.hash(password))
            await ports.ask(ACCOUNT, account_id, SetPassword(password=again, same=True), actor=account_id)
        return account_id, account

    async def open_session(
        self,
        call: HandlerCall,
        account_id: str,
        account: Account,
        *,
        browser: bool = False,
        remember: bool = False,
    ) -> str:
        """Open a session of an account, and return its id."""
        request, ports, at = call.request, call.ports, call.context.at
        session_id = f"s-{ports.new_id()}"
        texts = await secret_texts(ports)
        command = OpenSession(
            account=account_id,
            epoch=account.epoch,
            browser=browser,
            at=at,
            until=at + timedelta(seconds=self.parts.token_s),
            ends=at + (LONG if remember else SHORT),
            idle_s=IDLE_OF_STAFF_S if STAFF.intersection(account.groups) else IDLE_S,
            client=texts.client(program(request), network(request)),
            program=await ports.seal(account_id, "program", program(request)),
            network=await ports.seal(account_id, "network", network(request)),
        )
        await ports.ask(SESSION, session_id, command, actor=account_id)
        return session_id

    async def access_token(
        self, account_id: str, account: Account, session_id: str, at: datetime, ports: HandlerPorts
    ) -> tuple[str, str]:
        """Return an access token and its scopes."""
        session = await ports.state(SESSION, session_id)
        scope = " ".join(await scopes_of_groups(account.groups, ports))
        moment = int(at.timestamp())
        claims = TokenClaims(
            iss=self.parts.issuer,
            sub=account_id,
            aud=self.parts.audience,
            exp=moment + self.parts.token_s,
            iat=moment,
            jti=ports.new_id(),
            client_id=self.parts.audience,
            scope=scope,
            sid=session_id,
            epoch=session.epoch,
            auth_time=moment if session.at is None else int(session.at.timestamp()),
            groups=account.groups,
        )
        return await SigningKeyring(ports.keyring).sign(claims, at), scope

    async def tokens(
        self, account_id: str, account: Account, session_id: str, n: int, at: datetime, ports: HandlerPorts
    ) -> TokensAnswer:
        """Return the body of an answer with tokens."""
        token, scope = await self.access_token(account_id, account, session_id, at, ports)
        return TokensAnswer(
            access_token=token,
            expires_in=self.parts.token_s,
            refresh_token=(await secret_texts(ports)).refresh_token(session_id, n),
            scope=scope,
            account=account_id,
        )

    async def refresh(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 200 with new tokens, or 401. A token that was used before ends its session."""
        body: Refresh = await read_body(request, _REFRESH)
        texts, at = await secret_texts(ports), context.at
        token = texts.read_refresh_token(body.refresh_token)
        if token is None:
            raise unauthenticated("this is no refresh token")
        session = await self._rotated(request, token, at, ports)
        account = await ports.state(ACCOUNT, session.account)
        if not session.is_open or not is_valid(session, account):
            raise unauthenticated("the session is over; sign in again")
        return json_answer(
            200, await self.tokens(session.account, account, token.session, session.n, at, ports)
        )

    async def _rotated(
        self, request: Request, token: RefreshToken, at: datetime, ports: HandlerPorts
    ) -> Session:
        client = (await secret_texts(ports)).client(program(request), network(request))
        until = at + timedelta(seconds=self.parts.token_s)
        command = RotateRefresh(n=token.n, client=client, at=at, until=until)
        try:
            result = await ports.ask(SESSION, token.session, command, actor="guest")
        except NotFound:
            raise unauthenticated("the session is over; sign in again") from None
        state: Session = result.state
        return state

    async def logout(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """End the caller's session, or with `everywhere` all of them; answer 204 and delete the cookie."""
        body: Logout = await read_body(request, _LOGOUT)
        account_id, _ = await own_account(context, ports)
        if body.everywhere:
            await ports.ask(ACCOUNT, account_id, EndSessions(), actor=account_id)
        elif context.caller.session is not None:
            ended = EndSession(reason="signed-out")
            await ports.ask(SESSION, context.caller.session, ended, actor=account_id)
        response = no_content()
        deleted = _cookie(session_cookie(request), "", 0, secure=is_secure(request))
        response.headers = {**response.headers, "Set-Cookie": deleted}
        return response


def is_valid(session: Session, account: Account) -> bool:
    """Return True if the account's sessions of this one's epoch are still valid."""
    return account.is_open and not account.suspended and session.epoch >= account.epoch


async def is_remembered(session_id: str | None, ports: HandlerPorts) -> bool:
    """Return True if a session is kept for longer than others; False without a session."""
    session = Session() if session_id is None else await ports.state(SESSION, session_id)
    return session.at is not None and session.ends is not None and session.ends - session.at > SHORT


def session_cookie(request: Request) -> str:
    """Return the name of the session cookie; its prefix binds it to one host, over TLS."""
    return "__Host-session" if is_secure(request) else "session"


def _cookie(name: str, value: str, age_s: int | None, *, secure: bool) -> str:
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    parts += [] if age_s is None else [f"Max-Age={age_s}"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def prepared_password(password: str) -> str | None:
    """Return a typed password as it is hashed; None for one that no account can have."""
    try:
        return prepare_password(password)
    except Invalid:
        return None
