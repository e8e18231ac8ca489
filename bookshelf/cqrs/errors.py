"""Refusals: the answers of the domain that are not a success. They have done nothing."""

from typing import ClassVar


class Refused(Exception):
    """A command or a query that the domain declines; says why, and which field to mend, if one.

    `KIND` names the problem (docs/problems.md); `field` is a dotted path into the request's body.
    """

    KIND: ClassVar[str] = "refused"

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class Invalid(Refused):
    """A value that has the right shape and cannot be meant."""

    KIND = "invalid"


class NotFound(Refused):
    """No such thing, or no longer."""

    KIND = "not-found"


class Conflict(Refused):
    """What is asked contradicts what is."""

    KIND = "conflict"


class Changed(Refused):
    """The thing is no longer in the version that the caller named (If-Match)."""

    KIND = "changed"


class KeyReused(Refused):
    """An idempotency key came again with another body."""

    KIND = "key-reused"


class HeldBack(Refused):
    """The thing's own record cannot be read; it waits until an operator has mended that."""

    KIND = "held-back"


class Malformed(Exception):
    """A record whose bytes do not say what their type promises."""
