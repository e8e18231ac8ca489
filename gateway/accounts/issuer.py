"""The tokens of our own issuer, whose keys and revocations `users` answers, beside those of another one."""

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable

import msgspec

from gateway.accounts.revocations import Revocations
from gateway.accounts.users_client import UsersClient, UsersFault
from gateway.auth import BadToken, Identity, Verifier
from gateway.jwt import BadKeys, FetchedKeys, Tokens

#: Seconds between two loads of the keys, however many unknown keys tokens name.
_BETWEEN_S = 2.0
#: What the tokens name as their audience (bookshelf/accounts/handlers/parts.py).
_AUDIENCE = "bookshelf"


class AccountTokens(Verifier):
    """Verifies the tokens of our own issuer; those of ended sessions and former epochs are refused."""

    def __init__(
        self,
        users: UsersClient,
        issuer: str,
        revocations: Revocations,
        now: Callable[[], float] = time.time,
    ) -> None:
        async def fetch() -> bytes:
            try:
                return await users.keys()
            except UsersFault as fault:
                raise BadKeys(str(fault)) from fault

        self._tokens = Tokens(FetchedKeys(fetch, between_s=_BETWEEN_S), issuer, _AUDIENCE, now)
        self._revocations = revocations

    def verify(self, token: str) -> Identity:
        """Return the identity that a token proves. Raises `BadToken`, `NoKeys`."""
        identity = self._tokens.verify(token)
        if self._revocations.covers(identity):
            raise BadToken("its session is over")
        return self._revocations.limit(identity)

    async def renewed(self) -> bool:
        """Reload the keys if it is time to; return True if they have changed."""
        return await self._tokens.renewed()


class _Issued(msgspec.Struct):
    iss: str = ""


class TokensByIssuer(Verifier):
    """Verifies tokens that name our own issuer by its keys, all others by those of another issuer."""

    def __init__(self, issuer: str, own: Verifier, other: Verifier) -> None:
        self._issuer = issuer
        self._own = own
        self._other = other

    def verify(self, token: str) -> Identity:
        """Return the identity that a token proves. Raises `BadToken`, `NoKeys`."""
        return (self._own if _issuer_of(token) == self._issuer else self._other).verify(token)

    async def renewed(self) -> bool:
        """Reload the keys if it is time to; return True if some have changed."""
        own, other = await self._own.renewed(), await self._other.renewed()
        return own or other


def _issuer_of(token: str) -> str:
    """Return the issuer that a token names, which is not verified yet; empty if it cannot be read."""
    claims = token.partition(".")[2].partition(".")[0][:4096]
    try:
        return msgspec.json.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), type=_Issued).iss
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
