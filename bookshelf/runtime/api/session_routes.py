"""The endpoint of a route with a session: finds the session, runs the handler, has the differences written.

If something that the handler has read was changed meanwhile, it runs again with the newer session.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Any

import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Conflict, Gone, NotFound
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import HandlerSession, OpeningSession, SessionRoute
from bookshelf.cqrs.session_state import Differences, SessionContent
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, no_content
from bookshelf.runtime.api.commands import check_media_type
from bookshelf.runtime.api.keyed import chosen_key, result_fields
from bookshelf.runtime.api.ownership import call_id
from bookshelf.runtime.api.session_store import SessionStore
from bookshelf.runtime.decoding import decoder_of

#: The header with which clients that keep no cookies send the id of their session, and get it.
HEADER = "Bookshelf-Client-Session"
COOKIE = "bookshelf-client"
#: How often a handler runs again after a conflict.
AGAIN = 5
#: Sessions whose excluded values are kept; those that were used least recently are dropped.
_MOST = 10_000
#: The id of a session: 32 random bytes.
_ID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_KEY_LENGTH = 22
_logger = structlog.get_logger(__name__)


class SessionMisuse(Exception):
    """A handler has changed its client's session and the shared state in one request. This is a defect."""


def session_key(session_id: str) -> str:
    """Return the key of a session in the log: it proves nothing."""
    digest = hashlib.sha256(session_id.encode()).digest()
    return urlsafe_b64encode(digest).decode()[:_KEY_LENGTH]


class ProcessValues:
    """The values under excluded keys, by the key of their session, in this process alone."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def copy(self, key: str) -> dict[str, Any]:
        """Return the values of a session, for a handler to change."""
        return dict(self._values.get(key, {}))

    def keep(self, key: str, values: dict[str, Any]) -> None:
        """Keep the values that a handler has left."""
        self._values.pop(key, None)
        if values:
            self._values[key] = values
        while len(self._values) > _MOST:
            self._values.popitem(last=False)


@dataclass(slots=True)
class SessionTurn:
    """One request: its session, if it has one, and what stays the same when the handler runs again."""

    request: Request
    context: RequestContext
    body: Any
    command_id: str
    content_hash: str
    #: The id that the client has sent; the new one, once it has another.
    session_id: str
    is_new: bool = False


class SessionEndpoint:
    """Answers the requests of one route with a session."""

    def __init__(self, service: str, route: SessionRoute, store: SessionStore, values: ProcessValues) -> None:
        self._service = service
        self._route = route
        self._store = store
        self._values = values
        self._decoder = None if route.body is None else decoder_of(route.body)

    async def __call__(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Return the handler's answer, once what it has changed is durable. Raises `Problem`, `Refused`."""
        attempt = await self._begin(request, context, ports)
        to_end = False
        for _ in range(1 + AGAIN):
            try:
                return await self._run(attempt, to_end=to_end)
            except Conflict:
                to_end = True
            except (Gone, NotFound):
                if self._route.sessions.scope != "session" or not attempt.session_id:
                    raise
                attempt.session_id = ""  # it was closed meanwhile
        msg = f"others change the same keys; after {1 + AGAIN} attempts nothing was done"
        raise Problem("conflict", msg)

    async def _begin(self, request: Request, context: RequestContext, ports: HandlerPorts) -> SessionTurn:
        content = await request.body.read(self._route.body_bytes)
        body = None
        if self._decoder is not None:
            check_media_type(request, content)
            body = self._decoder.in_utc(self._decoder.body(content or b"{}"))
        key = header_fields.key(request.headers)
        named = f"{self._service} {self._route.method} {self._route.path} {key}"
        command_id = ports.new_id() if key is None else call_id(context.caller.actor, named)
        chosen = chosen_key(request.headers) is not None
        content_hash = hashlib.sha256(content).hexdigest() if chosen else ""
        return SessionTurn(request, context, body, command_id, content_hash, _session_id(request))

    async def _run(self, attempt: SessionTurn, *, to_end: bool) -> Response:
        own = await self._own(attempt, to_end=to_end)
        own_key = self._own_key(attempt)
        shared_key = self._store.domain
        parts = self._store.parts
        after = self._after(attempt.request)
        shared = await self._store.read(parts.shared, shared_key, after, to_end=to_end)
        values, shared_values = self._values.copy(own_key), self._values.copy(shared_key)
        content = SessionContent() if own is None else own.content
        session = HandlerSession(
            self._service, self._route.sessions, content, shared.content, values, shared_values
        )
        answer = self._route.handler(session, attempt.body)
        result = await self._write(attempt, own, session, opens=bool(values))
        self._values.keep(shared_key, shared_values)
        if own_key := self._own_key(attempt):
            self._values.keep(own_key, values)
        return self._answer(attempt, answer, result)

    def _after(self, request: Request) -> Sequence[Position]:
        return () if self._route.sessions.reads == "local" else header_fields.after(request.headers)

    def _own_key(self, attempt: SessionTurn) -> str:
        """Return the key of the levels of service and group: this client's, or all clients'."""
        scope = self._route.sessions.scope
        if scope == "application":
            return f"{self._store.domain}.{self._route.sessions.group}"
        return session_key(attempt.session_id) if attempt.session_id and scope == "session" else ""

    def _own_aggregate(self) -> Aggregate[Any]:
        parts = self._store.parts
        return parts.shared if self._route.sessions.scope == "application" else parts.session

    async def _own(self, attempt: SessionTurn, *, to_end: bool) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return the state of the levels of service and group; None for a client without a session."""
        key, after = self._own_key(attempt), self._after(attempt.request)
        to_end = to_end or header_fields.to_end(attempt.request.headers)
        if not key:
            return None
        state = await self._store.read(self._own_aggregate(), key, after, to_end=to_end)
        if self._route.sessions.scope == "application" or self._is_of(state, attempt):
            return state
        if not to_end and self._route.sessions.reads != "local" and not attempt.is_new:
            # it may have been opened on another node just now
            state = await self._store.read(self._own_aggregate(), key, to_end=True)
            if self._is_of(state, attempt):
                return state
        attempt.session_id = ""
        return None

    def _is_of(self, state: Any, attempt: SessionTurn) -> bool:  # noqa: ANN401 (as above)
        owner = attempt.context.caller.account or ""
        return bool(state.is_open) and (state.owner, state.domain) == (owner, self._store.domain)

    async def _write(
        self,
        attempt: SessionTurn,
        own: Any,  # noqa: ANN401 (the aggregate's state)
        session: HandlerSession,
        *,
        opens: bool,
    ) -> CommandResult | None:
        """Have the differences written; return the result, None if there is nothing to write."""
        parts, at = self._store.parts, attempt.context.at
        scope = self._route.sessions.scope
        changed, shared = session.own_differences(), session.shared_differences()
        if scope == "request":
            changed = Differences({}, (), {}, {})
        if changed and shared:
            msg = f"{self._route.method} {self._route.path} changed its client's session and the shared state"
            raise SessionMisuse(msg)
        if scope == "session" and own is not None and not changed:
            await self._note_use(attempt, own)
        if shared:
            return await self._ask(attempt, parts.shared, self._store.domain, parts.change_shared(shared, at))
        if scope == "application":
            command = parts.change_shared(changed, at)
            key = self._own_key(attempt)
            return await self._ask(attempt, parts.shared, key, command) if changed else None
        if own is None and scope == "session" and (changed or opens):
            return await self._open(attempt, changed)
        if not changed:
            return None
        return await self._ask(attempt, parts.session, self._own_key(attempt), parts.change(changed, at))

    async def _open(self, attempt: SessionTurn, first: Differences) -> CommandResult:
        store, caller = self._store, attempt.context.caller
        opening = OpeningSession(
            domain=store.domain,
            service=self._service,
            owner=caller.account or "",
            idle_s=store.idle_s,
            at=attempt.context.at,
        )
        attempt.session_id, attempt.is_new = secrets.token_urlsafe(32), True
        command = store.parts.open(opening, first)
        return await self._ask(attempt, store.parts.session, self._own_key(attempt), command)

    async def _note_use(self, attempt: SessionTurn, own: Any) -> None:  # noqa: ANN401 (the aggregate's state)
        """Record the use of a session, at most every quarter of its idle time. Raises `Gone`, `NotFound`."""
        at = attempt.context.at
        if own.touched is not None and at - own.touched < timedelta(seconds=own.idle_s) / 4:
            return
        parts = self._store.parts
        try:
            await self._store.ask(
                parts.session,
                self._own_key(attempt),
                parts.use(at),
                actor=attempt.context.caller.actor,
                command_id=f"{attempt.command_id}.use",
            )
        except Problem as problem:  # the session can be read without its owner
            _logger.warning("use-not-recorded", why=problem.detail)

    async def _ask(
        self, attempt: SessionTurn, aggregate: Aggregate[Any], key: str, command: Command
    ) -> CommandResult:
        return await self._store.ask(
            aggregate,
            key,
            command,
            actor=attempt.context.caller.actor,
            command_id=attempt.command_id,
            content_hash=attempt.content_hash,
        )

    def _answer(self, attempt: SessionTurn, answer: object, result: CommandResult | None) -> Response:
        response = no_content() if answer is None else json_answer(200, answer)
        fields = {} if result is None else result_fields(result)
        if attempt.is_new:
            cookie, value = _cookie_name(attempt.request), attempt.session_id
            secure = "; Secure" if is_secure(attempt.request) else ""
            fields = {
                **fields,
                HEADER: value,
                "Set-Cookie": f"{cookie}={value}; Path=/; HttpOnly; SameSite=Lax{secure}",
            }
        response.headers = {**response.headers, **fields}
        return response


def is_secure(request: Request) -> bool:
    """Return True if the client has sent the request over TLS."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def _cookie_name(request: Request) -> str:
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def _session_id(request: Request) -> str:
    """Return the id that the client has sent; empty without one that can be an id."""
    given = request.headers.get(HEADER)
    if given is None:
        try:
            morsel = SimpleCookie(request.headers.get("Cookie", "")).get(_cookie_name(request))
        except CookieError:
            return ""
        given = "" if morsel is None else morsel.value
    return given if _ID.fullmatch(given) else ""


def with_session_routes(service: Service, store: SessionStore | None) -> Service:
    """Return the service with handler routes in place of its routes with sessions.

    Raises LookupError if it has such routes, and there is no store.
    """
    if not any(isinstance(route, SessionRoute) for route in service.serves):
        return service
    if store is None:
        msg = f"{service.name} has routes with sessions, and this process keeps none"
        raise LookupError(msg)
    values = ProcessValues()
    routes = [
        _handler_route(service.name, route, store, values) if isinstance(route, SessionRoute) else route
        for route in service.serves
    ]
    return replace(service, serves=tuple(routes))


def _handler_route(
    service: str, route: SessionRoute, store: SessionStore, values: ProcessValues
) -> HandlerRoute:
    return HandlerRoute(
        method=route.method,
        path=route.path,
        summary=route.summary,
        handler=SessionEndpoint(service, route, store, values),
        body_bytes=route.body_bytes,
        deadline_s=route.deadline_s,
        requires=route.requires,
        body=route.body,
        returns=route.returns,
        status=204 if route.returns is None else 200,
        heeds=(header_fields.KEY,),
    )
