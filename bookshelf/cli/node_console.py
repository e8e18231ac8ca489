"""The pages of a node at its admin API: browsers sign in with the token of the node, and see what it runs."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, cast

import msgspec

from bookshelf.cluster.node_report import NodeReport
from bookshelf.cqrs.handler import Caller, Handle, HandlerPorts, RequestContext
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.endpoint import Api
from bookshelf.runtime.metrics import Meters

#: The address of the pages.
ROOT = "/console"
#: What is answered to browsers that have not signed in, beside the page of signing in.
_OPEN = (f"{ROOT}/sign-in", f"{ROOT}/static/", f"{ROOT}/manifest.webmanifest")
#: Seconds that a browser stays signed in, and the most browsers.
_SESSION_S, _MOST_SESSIONS = 12 * 3600.0, 100
_MOST_BODY = 1 << 16
_CALLER = Caller()


class TokenGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token that a browser signs in with."""

    token: str


class NodeSessionEnded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The session of a browser that signs out."""

    session: str


class NodeSessions:
    """The browsers that have signed in with the token of this node, in this process."""

    def __init__(self, token: str, clock: Callable[[], float] = monotonic) -> None:
        self._token = token
        self._clock = clock
        #: When the session of a browser ends, the oldest first.
        self._ends: OrderedDict[str, float] = OrderedDict()

    def begin(self, token: str) -> str:
        """Return the session of a browser that has sent the token. Raises `Problem` for another token."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise Problem("forbidden", "this is not the token of this node")
        session = secrets.token_urlsafe(32)
        self._ends[session] = self._clock() + _SESSION_S
        while len(self._ends) > _MOST_SESSIONS:
            self._ends.popitem(last=False)
        return session

    def end(self, session: str) -> None:
        """End a session."""
        self._ends.pop(session, None)

    def has(self, session: str) -> bool:
        """Return True while a session lasts."""
        return self._ends.get(session, 0.0) > self._clock()


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


class NodeConsole:
    """Answers the requests below /console. `report` returns what is shown."""

    def __init__(self, token: str, report: Callable[[], NodeReport], folder: Path) -> None:
        self._sessions = NodeSessions(token)
        self._report = report
        self._ports = cast("HandlerPorts", _ConsolePorts(self._own_api(), folder))

    def _own_api(self) -> Api:
        api = Api("node", Meters())
        api.add("GET", "/bookshelf/node", self._reported)
        api.add("POST", "/bookshelf/node/sessions", self._begin)
        api.add("POST", "/bookshelf/node/sessions/ended", self._end)
        return api

    async def _reported(self, _request: Request, _path: object) -> Response:
        return _json(self._report())

    async def _begin(self, request: Request, _path: object) -> Response:
        given = await _body(request, TokenGiven)
        return _json({"session": self._sessions.begin(given.token)})

    async def _end(self, request: Request, _path: object) -> Response:
        self._sessions.end((await _body(request, NodeSessionEnded)).session)
        return Response(204, {})

    async def handle(self, request: Request) -> Response:
        """Return a page, or lead a browser that has not signed in to the page of signing in."""
        path = request.target.partition("?")[0]
        if not path.startswith(_OPEN) and not self._sessions.has(self._session_of(request)):
            return Response(303, {"Location": f"{ROOT}/sign-in", "Cache-Control": "no-store"})
        return await self._api.handle(request)

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
        context = RequestContext(at=self._ports.now(), caller=_CALLER, path=path)
        return await handler(request, context, self._ports)

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
