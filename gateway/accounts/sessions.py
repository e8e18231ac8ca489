"""Browsers' sessions: the session cookie is exchanged at `users` for a token, which is kept in memory.

A browser holds no token. An exchange is shared by all requests that wait for it. Source: OWASP ASVS 5.0, 7.2.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import structlog
from multidict import CIMultiDict

from bookshelf.concurrency import cancel_and_wait
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from gateway.accounts.users_client import UsersClient, UsersFault
from gateway.auth import BadToken, Identity, NoKeys, Verifier, verified

#: The name of the cookie over TLS, where its prefix binds it to one host (RFC 6265bis, 4.1.3), and without.
SECURE_COOKIE, PLAIN_COOKIE = "__Host-session", "session"
#: Seconds before its end from which a token is exchanged for a new one.
_AHEAD_S = 30.0
#: What a session cookie looks like; anything else is no session, and needs no call.
_FORM = re.compile(r"[\w.-]{1,200}", re.ASCII)
_PAIR = re.compile(rf"(?:^|;)\s*(?:{SECURE_COOKIE}|{PLAIN_COOKIE})=[^;]*", re.ASCII)
_NAMES = (f"{SECURE_COOKIE}=", f"{PLAIN_COOKIE}=")
_logger = structlog.get_logger(__name__)


class BrowserSessions:
    """Returns the identity of a request by its session cookie, and deletes the cookies of ended sessions."""

    def __init__(self, users: UsersClient, tokens: Verifier, now: Callable[[], float] = time.time) -> None:
        self._users = users
        self._tokens = tokens
        self._now = now
        #: The most tokens, and ended sessions, that are kept; the one used longest ago is dropped.
        self.most = 10_000
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._over: OrderedDict[bytes, None] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[str | UsersFault | None]] = {}

    async def identity(self, request: Request) -> Identity | None:
        """Return the person of the request's session; None for a guest. Raises `Problem`: unavailable."""
        cookie = session_cookie(request)
        if not cookie:
            return None
        key = _digest(cookie)
        if key in self._over:
            return None
        if _FORM.fullmatch(cookie) is None:
            self._end(key)
            return None
        identity = await self._held(key)
        if identity is None:
            return await self._exchanged(key, cookie)
        if identity.expires - self._now() < _AHEAD_S:
            self._exchange(key, cookie)  # without waiting: the present token is still valid
        return identity

    async def _held(self, key: bytes) -> Identity | None:
        """Return the identity of the token that is kept; None if there is none, or none that is valid."""
        token = self._known.get(key)
        if token is None:
            return None
        self._known.move_to_end(key)
        try:
            return await verified(self._tokens, token)
        except BadToken as fault:
            _logger.info("token-refused", why=str(fault))
            if self._known.get(key) == token:
                del self._known[key]
            return None
        except NoKeys:
            raise Problem("unavailable", "the token cannot be verified right now; try again") from None

    async def _exchanged(self, key: bytes, cookie: str) -> Identity | None:
        asking = self._exchange(key, cookie)
        await asyncio.wait((asking,))  # it goes on if this request is cancelled: others may wait for it too
        token = asking.result()
        if isinstance(token, UsersFault):
            msg = "the session cannot be looked up right now; try again in a moment"
            raise Problem("unavailable", msg, Retry_After="1")
        return None if token is None else await self._held(key)

    def _exchange(self, key: bytes, cookie: str) -> asyncio.Task[str | UsersFault | None]:
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, cookie), name="session exchange")
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return asking

    async def _ask(self, key: bytes, cookie: str) -> str | UsersFault | None:
        try:
            token = await self._users.exchange(cookie)
        except UsersFault as fault:
            return fault
        if token is None:
            self._end(key)
        else:
            self._known[key] = token
            self._bound(self._known)
        return token

    def _end(self, key: bytes) -> None:
        self._known.pop(key, None)
        self._over[key] = None
        self._bound(self._over)

    def _bound(self, kept: OrderedDict[bytes, str] | OrderedDict[bytes, None]) -> None:
        while len(kept) > self.most:
            kept.popitem(last=False)

    def delete_cookie(self, request: Request, response: Response) -> None:
        """Delete the cookie of a session that is over, unless the response sets another one."""
        cookie = session_cookie(request)
        if not cookie or _digest(cookie) not in self._over:
            return
        name = cookie_name(request)
        headers = CIMultiDict(response.headers)
        is_set = any(value.startswith(f"{name}=") for value in headers.getall("Set-Cookie", ()))
        if is_set or "public" in headers.get("Cache-Control", ""):
            return  # a shared cache would delete the cookies of others
        secure = "; Secure" if request.secure else ""
        headers.add("Set-Cookie", f"{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}")
        response.headers = headers

    async def close(self) -> None:
        """Cancel the exchanges under way."""
        await cancel_and_wait(*self._asking.values())


def cookie_name(request: Request) -> str:
    """Return the name of the session cookie."""
    return SECURE_COOKIE if request.secure else PLAIN_COOKIE


def session_cookie(request: Request) -> str:
    """Return the value of the session cookie; empty if there is none, or more than one."""
    lines = request.headers.getall("Cookie", ())
    pairs = [pair.strip().partition("=") for line in lines for pair in line.split(";")]
    values = [value for name, _, value in pairs if name == cookie_name(request)]
    return values[0] if len(values) == 1 else ""


def hide_cookie(headers: CIMultiDict[str]) -> None:
    """Remove session cookies from the headers of a request that is passed on: services need none."""
    lines = headers.popall("Cookie", ())
    for line in lines:
        if rest := _PAIR.sub("", line).lstrip("; "):
            headers.add("Cookie", rest)


def drop_set_cookie(response: Response) -> None:
    """Remove session cookies from the response of a foreign service: it may not choose a session."""
    headers = response.headers = CIMultiDict(response.headers)
    values = headers.popall("Set-Cookie", ())
    headers.extend(("Set-Cookie", value) for value in values if not value.startswith(_NAMES))


def _digest(cookie: str) -> bytes:
    return blake2b(cookie.encode(), digest_size=16).digest()
