"""Asks the verifier, and refuses whom a route does not let in (RFC 6750)."""

import structlog

from bookshelf.runtime.http.message import Request
from bookshelf.runtime.http.problem import Problem
from gateway.identity.port import BadToken, Identity, Requirement, Verifier

_logger = structlog.get_logger(__name__)


class Gatekeeper:
    """Knows who sends a request. Without a verifier everyone is nobody, and routes that ask are closed."""

    def __init__(self, verifier: Verifier | None = None) -> None:
        self._verifier = verifier

    def let_in(self, request: Request, requirement: Requirement | None) -> None:
        """Note in the request who sends it. Raises `Problem`: unauthenticated, forbidden."""
        if self._verifier is None:
            if requirement is not None:
                raise _unknown("this needs a token, and no one was named here who issues them")
            return
        identity = self._identity(request)
        if identity is not None:
            request.actor = identity.actor
        if requirement is None:
            return
        if identity is None:
            raise _unknown("this needs a token: Authorization: Bearer …")
        missing = requirement.scopes - identity.scopes
        if missing:
            raise Problem("forbidden", f"the token lacks what this asks for: {', '.join(sorted(missing))}")

    def _identity(self, request: Request) -> Identity | None:
        given = request.headers.getall("Authorization", ())
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or self._verifier is None:
            raise _unknown("one Authorization: Bearer … is taken, and nothing else")
        try:
            return self._verifier.verify(token.strip())
        except BadToken as fault:
            _logger.info("token refused", why=str(fault), id=request.id, client=request.peer)
            raise _unknown("the token is not valid, or no longer", 'Bearer error="invalid_token"') from None


def _unknown(detail: str, challenge: str = "Bearer") -> Problem:
    return Problem("unauthenticated", detail, WWW_Authenticate=challenge)
