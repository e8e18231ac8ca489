"""The hook: anyone who can tell from a token whose it is."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class BadToken(Exception):
    """The token is not valid; says why, for the log: whoever sends it learns only that it is not."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is, and what the token allows."""

    actor: str
    scopes: frozenset[str] = frozenset()


class Verifier(Protocol):
    """Tells whose a token is."""

    def verify(self, token: str) -> Identity:
        """Return who it is. Raises `BadToken`."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route asks of who calls it. `scopes`: all of them."""

    scopes: frozenset[str] = frozenset()


def required(security: object) -> Requirement | None:
    """Return what an operation's `security` asks (OpenAPI 3.1); None if anyone may call it.

    It lists alternatives; `{}` among them is nobody in particular. What cannot be read asks for a token.
    """
    if security is None or security == [] or (isinstance(security, Collection) and {} in security):
        return None
    first = security[0] if isinstance(security, list) else {}
    lists = first.values() if isinstance(first, dict) else ()
    return Requirement(
        frozenset(str(scope) for scopes in lists if isinstance(scopes, list) for scope in scopes)
    )
