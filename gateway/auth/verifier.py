"""The port for the verification of tokens: a verifier returns the identity that a token proves."""

from dataclasses import dataclass
from typing import Protocol


class BadToken(Exception):
    """The token is not valid. The reason is for the log; the client learns only that it is not valid."""


class UnknownKey(BadToken):
    """The token is signed with a key that is unknown, or not known yet."""


class NoKeys(Exception):
    """No token can be verified right now: there are no keys."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The user or client that a token names, and the scopes that the token allows."""

    actor: str
    scopes: frozenset[str] = frozenset()


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
