"""Asks the verifier, and refuses whom a route does not let in (RFC 6750)."""

import structlog

from bookshelf.http.message import Request
from bookshelf.http.problem import Problem
from gateway.auth.verifier import BadToken, Identity, NoKeys, Requirement, UnknownKey, Verifier

_logger = structlog.get_logger(__name__)


class TokenGuard:
    """Knows who sends a request. Without a verifier everyone is nobody, and routes that ask are closed."""

    def __init__(self, verifier: Verifier | None = None) -> None:
        self._verifier = verifier

    async def let_in(self, request: Request, requirement: Requirement | None) -> None:
        """Note in the request who sends it. Raises `Problem`: unauthenticated, forbidden, unavailable."""
        if self._verifier is None:
            if requirement is not None:
                raise _unknown("this needs a token, and no one was named here who issues them")
            return
        identity = await self._identity(request, self._verifier)
        if identity is not None:
            request.actor = identity.actor
        if requirement is None:
            return
        if identity is None:
            raise _unknown("this needs a token: Authorization: Bearer …")
        missing = requirement.scopes - identity.scopes
        if missing:
            raise Problem("forbidden", f"the token lacks what this asks for: {', '.join(sorted(missing))}")

    async def _identity(self, request: Request, verifier: Verifier) -> Identity | None:
        given = request.headers.getall("Authorization", ())
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise _unknown("one Authorization: Bearer … is taken, and nothing else")
        try:
            return await _verified(verifier, token.strip())
        except BadToken as fault:
            _logger.info("token-refused", why=str(fault), id=request.id, client=request.peer)
            raise _unknown("the token is not valid, or no longer", 'Bearer error="invalid_token"') from None
        except NoKeys:
            raise Problem("unavailable", "whose a token is cannot be told just now; try again") from None


async def _verified(verifier: Verifier, token: str) -> Identity:
    try:
        return verifier.verify(token)
    except (UnknownKey, NoKeys):
        if not await verifier.renewed():
            raise
    return verifier.verify(token)


def _unknown(detail: str, challenge: str = "Bearer") -> Problem:
    return Problem("unauthenticated", detail, WWW_Authenticate=challenge)
