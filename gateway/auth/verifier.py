"""The hook: anyone who can tell from a token whose it is."""

from dataclasses import dataclass
from typing import Protocol


class BadToken(Exception):
    """The token is not valid; says why, for the log: whoever sends it learns only that it is not."""


class UnknownKey(BadToken):
    """It is signed with a key that is not known, or not yet."""


class NoKeys(Exception):
    """Whose a token is cannot be told just now: there are no keys to tell it by."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is, and what the token allows."""

    actor: str
    scopes: frozenset[str] = frozenset()


class Verifier(Protocol):
    """Tells whose a token is."""

    def verify(self, token: str) -> Identity:
        """Return who it is. Raises `BadToken`, and `UnknownKey` or `NoKeys` if newer keys may help."""

    async def renewed(self) -> bool:
        """Look for newer keys; return whether there are any."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route asks of who calls it. `scopes`: all of them."""

    scopes: frozenset[str] = frozenset()


def required(security: object) -> Requirement | None:
    """Return what an operation's `security` asks (OpenAPI 3.1); None if anyone may call it.

    It lists alternatives; `{}` among them is nobody in particular. What cannot be read asks for a token.
    """
    if security is None or (isinstance(security, list) and (not security or {} in security)):
        return None
    first = security[0] if isinstance(security, list) else None
    lists = first.values() if isinstance(first, dict) else ()
    scopes = (scope for one in lists if isinstance(one, list) for scope in one)
    return Requirement(frozenset(str(scope) for scope in scopes))
