"""Authenticates requests by bearer token (RFC 6750): the port of token verifiers, and the guard of routes."""

import math
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bookshelf.http.message import Request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.identity import SIGNATURE, Callers, LocalReader


class BadToken(Exception):
    """The token is not valid. The reason is for the log; the client learns only that it is not valid."""


class UnknownKey(BadToken):
    """The token is signed with a key that is unknown, or not known yet."""


class NoKeys(Exception):
    """No token can be verified right now: there are no keys."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The user or client that a token names, and the scopes and the session of the token.

    `epoch`: an account's tokens of former epochs are revoked. `withheld`: scopes of the token that do not
    count right now. `expires`: seconds since 1970.
    """

    actor: str
    scopes: frozenset[str] = frozenset()
    session: str | None = None
    epoch: int = 0
    withheld: frozenset[str] = frozenset()
    expires: float = field(default=math.inf, compare=False)


class Verifier(Protocol):
    """Verifies tokens."""

    def verify(self, token: str) -> Identity:
        """Return the identity that a token proves.

        Raises `BadToken`, and `UnknownKey` or `NoKeys` if a reload of the keys may help.
        """

    async def renewed(self) -> bool:
        """Reload the keys if it is time to; return True if they have changed."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route requires of a caller: a token with all of these scopes."""

    scopes: frozenset[str] = frozenset()


def required(security: object) -> Requirement | None:
    """Return the requirement that an operation's `security` states (OpenAPI 3.1); None if no token is needed.

    `security` lists alternatives, of which `{}` needs no token and otherwise the first counts. A malformed
    value requires a token.
    """
    if security is None or (isinstance(security, list) and (not security or {} in security)):
        return None
    first = security[0] if isinstance(security, list) else None
    lists = first.values() if isinstance(first, dict) else ()
    scopes = (scope for names in lists if isinstance(names, list) for scope in names)
    return Requirement(frozenset(str(scope) for scope in scopes))


_logger = structlog.get_logger(__name__)


class Sessions(Protocol):
    """Finds the person of a browser."""

    async def identity(self, request: Request) -> Identity | None:
        """Return the person of the request's session; None for a guest. Raises `Problem`: unavailable."""


class TokenGuard:
    """Checks the token of each request. Without a verifier, routes with a requirement refuse all requests.

    A request that one of our services sends for a caller has a signature in place of a token, and that of a
    browser a session cookie, if there are `sessions`.
    """

    def __init__(
        self,
        verifier: Verifier | None = None,
        callers: Callers | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        self._verifier = verifier
        self._callers = callers or LocalReader()
        self._sessions = sessions

    async def authorize(self, request: Request, requirement: Requirement | None) -> None:
        """Set the request's actor, scopes and session, and check its scopes.

        Raises `Problem`: unauthenticated, forbidden, unavailable.
        """
        identity = self._signed(request)
        if identity is None and self._verifier is not None:
            identity = await self._identity(request, self._verifier)
        if identity is None and self._sessions is not None and "Authorization" not in request.headers:
            identity = await self._sessions.identity(request)
        if identity is not None:
            request.actor, request.scopes = identity.actor, identity.scopes
            request.session = identity.session
        if requirement is None:
            return
        if identity is None and self._verifier is None:
            raise _unauthenticated(
                "authentication is required, but this gateway has no token issuer configured"
            )
        if identity is None:
            raise _unauthenticated("authentication is required: send Authorization: Bearer …")
        missing = requirement.scopes - identity.scopes
        if missing & identity.withheld:
            scopes = ", ".join(sorted(missing & identity.withheld))
            msg = (
                f"what was revoked is not known right now, so these scopes are withheld: {scopes}; try again"
            )
            raise Problem("unavailable", msg, Retry_After="5")
        if missing:
            raise Problem("forbidden", f"the token lacks these required scopes: {', '.join(sorted(missing))}")

    def _signed(self, request: Request) -> Identity | None:
        if not self._callers.has_accounts or SIGNATURE not in request.headers:
            return None
        caller = self._callers.of(request)
        if caller.account is None or caller.scopes is None:
            return None
        return Identity(caller.account, caller.scopes, caller.session)

    async def _identity(self, request: Request, verifier: Verifier) -> Identity | None:
        given = request.headers.getall("Authorization", ())
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise _unauthenticated("send exactly one Authorization field, with the scheme Bearer")
        try:
            return await verified(verifier, token.strip())
        except BadToken as fault:
            _logger.info("token-refused", why=str(fault), id=request.id, client=request.peer)
            raise _unauthenticated(
                "the token is not valid, or has expired", 'Bearer error="invalid_token"'
            ) from None
        except NoKeys:
            raise Problem("unavailable", "the token cannot be verified right now; try again") from None


async def verified(verifier: Verifier, token: str) -> Identity:
    """Return the identity of a token; keys that are missing are loaded. Raises `BadToken`, `NoKeys`."""
    try:
        return verifier.verify(token)
    except (UnknownKey, NoKeys):
        if not await verifier.renewed():
            raise
    return verifier.verify(token)


def _unauthenticated(detail: str, challenge: str = "Bearer") -> Problem:
    return Problem("unauthenticated", detail, WWW_Authenticate=challenge)
