"""The pages of a node at its admin API: browsers sign in, and see what it runs."""

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import replace
from multidict import CIMultiDict

from bookshelf.cli.node_people import NodePeople, PersonTokens
from bookshelf.cluster.node_report import NodeReport
from bookshelf.cqrs.handler import Caller, Handle, HandlerPorts, RequestContext
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.endpoint import Api
from bookshelf.runtime.metrics import Meters

#: The address of the pages.
ROOT = "/console"
#: What is answered to browsers that have not signed in, beside the page of signing in.
_OPEN = (f"{ROOT}/sign-in", f"{ROOT}/token", f"{ROOT}/static/", f"{ROOT}/manifest.webmanifest")
#: Seconds that a browser stays signed in, and the most browsers.
_SESSION_S, _MOST_SESSIONS = 12 * 3600.0, 100
_MOST_BODY = 1 << 16
_CALLER = Caller()


class NodePages(NamedTuple):
    """What the pages of a node stand on: what makes the report, and what signs people in, with accounts."""

    report: Callable[[], NodeReport]
    people: NodePeople | None = None


class TokenGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token that a browser signs in with."""

    token: str


class LoginGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The login and the password that a browser signs in with."""

    login: str
    password: str


class NodeSessionEnded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The session of a browser that signs out."""

    session: str


class _NodeSession:
    """A browser that has signed in: until when, and the tokens of the person, if a person has."""

    def __init__(self, ends: float, tokens: PersonTokens | None, renewed: float) -> None:
        self.ends = ends
        self.tokens = tokens
        self.renewed = renewed
        self.renewing = asyncio.Lock()


class NodeSessions:
    """The browsers that have signed in at this process: with the token of the node, or as people."""

    def __init__(self, token: str, people: NodePeople | None, clock: Callable[[], float] = monotonic) -> None:
        self._token = token
        self._people = people
        self._clock = clock
        #: The sessions of browsers, the oldest first.
        self._open: OrderedDict[str, _NodeSession] = OrderedDict()

    @property
    def has_accounts(self) -> bool:
        """True if people sign in by their accounts."""
        return self._people is not None

    def begin(self, token: str) -> str:
        """Return the session of a browser that has sent the token. Raises `Problem` for another token."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise Problem("forbidden", "this is not the token of this node")
        return self._begun(None)

    async def begin_for(self, login: str, password: str, browser: Mapping[str, str]) -> str:
        """Return the session of a browser that a person uses. Raises `Problem` as `NodePeople.sign_in`."""
        if self._people is None:
            raise Problem("not-found", "there are no accounts")
        return self._begun(await self._people.sign_in(login, password, browser))

    def _begun(self, tokens: PersonTokens | None) -> str:
        session, now = secrets.token_urlsafe(32), self._clock()
        self._open[session] = _NodeSession(now + _SESSION_S, tokens, now)
        while len(self._open) > _MOST_SESSIONS:
            self._open.popitem(last=False)
        return session

    async def end(self, session: str) -> None:
        """End a session, and with it that of the person. Raises `Problem`: unavailable."""
        ended = self._open.pop(session, None)
        if ended is not None and ended.tokens is not None and self._people is not None:
            await self._people.sign_out(ended.tokens)

    async def admits(self, session: str, browser: Mapping[str, str]) -> bool:
        """Return True while a session lasts: that of a person, while the account has it and the scope."""
        known = self._open.get(session)
        if known is None or known.ends <= self._clock():
            return False
        async with known.renewing:
            try:
                await self._renew(known, browser)
            except Problem as problem:
                if problem.kind != "unavailable":  # otherwise it is tried again at the next request
                    self._open.pop(session, None)
                return False
        return True

    async def _renew(self, known: _NodeSession, browser: Mapping[str, str]) -> None:
        tokens, now = known.tokens, self._clock()
        if tokens is None or self._people is None or now < known.renewed + tokens.expires_in:
            return
        known.tokens = await self._people.renew(tokens, browser)
        known.renewed = now


class _ConsolePorts:
    """What the pages of a node use of `HandlerPorts`: its own API, the time, ids."""

    def __init__(self, api: Handler, folder: Path) -> None:
        self._api = api
        self.folder = str(folder)

    def api(self, _caller: Caller) -> Handler:
        return self._api

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        return secrets.token_urlsafe(16)


class _OfBrowser:
    """Answers requests of a page as if the browser that it answers had sent them."""

    def __init__(self, api: Handler, browser: Request) -> None:
        self._api = api
        self._browser = browser

    async def handle(self, asked: Request) -> Response:
        program = self._browser.headers.get("User-Agent", "")
        headers = CIMultiDict({**asked.headers, "User-Agent": program})
        sent = replace(asked, headers=headers, peer=self._browser.peer, secure=self._browser.secure)
        return await self._api.handle(sent)


def _browser_of(request: Request) -> dict[str, str]:
    """Return the header fields by which the accounts know a browser."""
    return {
        "X-Forwarded-For": request.peer,
        "X-Forwarded-Proto": "https" if request.secure else "http",
        "User-Agent": request.headers.get("User-Agent", ""),
    }


class NodeConsole:
    """Answers the requests below /console."""

    def __init__(self, token: str, pages: NodePages, folder: Path) -> None:
        self._sessions = NodeSessions(token, pages.people)
        self._report = pages.report
        self._own = self._own_api()
        self._folder = folder

    def _own_api(self) -> Api:
        api = Api("node", Meters())
        api.add("GET", "/bookshelf/node", self._reported)
        api.add("GET", "/bookshelf/node/accounts", self._show_accounts)
        api.add("POST", "/bookshelf/node/sessions", self._begin)
        api.add("POST", "/bookshelf/node/people", self._begin_for)
        api.add("POST", "/bookshelf/node/sessions/ended", self._end)
        return api

    async def _reported(self, _request: Request, _path: object) -> Response:
        return _json(self._report())

    async def _show_accounts(self, _request: Request, _path: object) -> Response:
        return _json({"has_accounts": self._sessions.has_accounts})

    async def _begin(self, request: Request, _path: object) -> Response:
        given = await _body(request, TokenGiven)
        return _json({"session": self._sessions.begin(given.token)})

    async def _begin_for(self, request: Request, _path: object) -> Response:
        given = await _body(request, LoginGiven)
        browser = _browser_of(request)
        return _json({"session": await self._sessions.begin_for(given.login, given.password, browser)})

    async def _end(self, request: Request, _path: object) -> Response:
        await self._sessions.end((await _body(request, NodeSessionEnded)).session)
        return Response(204, {})

    async def handle(self, request: Request) -> Response:
        """Return a page, or lead a browser that has not signed in to the page of signing in."""
        path = request.target.partition("?")[0]
        session = self._session_of(request)
        if not path.startswith(_OPEN) and not await self._sessions.admits(session, _browser_of(request)):
            return Response(303, {"Location": self._first, "Cache-Control": "no-store"})
        return await self._api.handle(request)

    @property
    def _first(self) -> str:
        """The page that a browser signs in at."""
        return f"{ROOT}/sign-in" if self._sessions.has_accounts else f"{ROOT}/token"

    @cached_property
    def _pages(self) -> ModuleType:
        """The pages, which are loaded when they are first asked for."""
        from bookshelf.cluster.pages import node_site  # noqa: PLC0415 (few nodes are looked at)

        return node_site

    @cached_property
    def _api(self) -> Api:
        """What answers the requests for pages."""
        api = Api("console", Meters(), self._pages.NODE_SITE.error_page)
        for route in self._pages.NODE_SITE.routes:
            api.add(route.method, route.path, partial(self._respond, route.handler))
        return api

    async def _respond(self, handler: Handle, request: Request, path: Mapping[str, str]) -> Response:
        ports = _ConsolePorts(_OfBrowser(self._own, request), self._folder)
        context = RequestContext(at=ports.now(), caller=_CALLER, path=path)
        return await handler(request, context, cast("HandlerPorts", ports))

    def _session_of(self, request: Request) -> str:
        cookies: Mapping[str, str] = self._pages.cookies_of(request)
        return cookies.get(self._pages.cookie_name(request.headers.get("Host", "")), "")


async def _body(request: Request, kind: type[Any]) -> Any:  # noqa: ANN401 (a value of the type)
    try:
        return msgspec.json.decode(await request.body.read(_MOST_BODY), type=kind)
    except msgspec.MsgspecError as fault:
        raise Problem("invalid", str(fault)) from None


def _json(value: object) -> Response:
    return Response(
        200,
        {"Content-Type": "application/json", "Cache-Control": "no-store"},
        msgspec.json.encode(value),
    )
