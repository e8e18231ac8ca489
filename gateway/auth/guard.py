"""Authenticates requests by bearer token, and refuses what a route's requirement excludes (RFC 6750)."""

import structlog

from bookshelf.http.message import Request
from bookshelf.http.problem import Problem
from gateway.auth.verifier import BadToken, Identity, NoKeys, Requirement, UnknownKey, Verifier

_logger = structlog.get_logger(__name__)


class TokenGuard:
    """Checks the token of each request. Without a verifier, routes with a requirement refuse all requests."""

    def __init__(self, verifier: Verifier | None = None) -> None:
        self._verifier = verifier

    async def authorize(self, request: Request, requirement: Requirement | None) -> None:
        """Set the request's actor and check its scopes.

        Raises `Problem`: unauthenticated, forbidden, unavailable.
        """
        if self._verifier is None:
            if requirement is not None:
                raise _unauthenticated(
                    "authentication is required, but this gateway has no token issuer configured"
                )
            return
        identity = await self._identity(request, self._verifier)
        if identity is not None:
            request.actor = identity.actor
        if requirement is None:
            return
        if identity is None:
            raise _unauthenticated("authentication is required: send Authorization: Bearer …")
        missing = requirement.scopes - identity.scopes
        if missing:
            raise Problem("forbidden", f"the token lacks these required scopes: {', '.join(sorted(missing))}")

    async def _identity(self, request: Request, verifier: Verifier) -> Identity | None:
        given = request.headers.getall("Authorization", ())
        if not given:
            return None
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise _unauthenticated("send exactly one Authorization field, with the scheme Bearer")
        try:
            return await _verified(verifier, token.strip())
        except BadToken as fault:
            _logger.info("token-refused", why=str(fault), id=request.id, client=request.peer)
            raise _unauthenticated(
                "the token is not valid, or has expired", 'Bearer error="invalid_token"'
            ) from None
        except NoKeys:
            raise Problem("unavailable", "the token cannot be verified right now; try again") from None


async def _verified(verifier: Verifier, token: str) -> Identity:
    try:
        return verifier.verify(token)
    except (UnknownKey, NoKeys):
        if not await verifier.renewed():
            raise
    return verifier.verify(token)


def _unauthenticated(detail: str, challenge: str = "Bearer") -> Problem:
    return Problem("unauthenticated", detail, WWW_Authenticate=challenge)
