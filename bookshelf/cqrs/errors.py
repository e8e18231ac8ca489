"""The refusals that a decider or a query can raise, and the error for unreadable records."""

from typing import ClassVar

from bookshelf.cqrs.position import Position


class Refused(Exception):
    """A command or a query is declined; nothing was changed. `detail` has the reason.

    `KIND` names the problem (docs/problems.md). `field` is the dotted path of the wrong field in the
    request's body, if there is one.
    """

    KIND: ClassVar[str] = "refused"

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class Invalid(Refused):
    """A value has the right type and is not allowed."""

    KIND = "invalid"


class NotFound(Refused):
    """What the request names does not exist, or no longer."""

    KIND = "not-found"


class Gone(Refused):
    """What the request names was there once, and was removed."""

    KIND = "gone"


class NotYours(Refused):
    """What the request would change belongs to another person."""

    KIND = "not-yours"


class Conflict(Refused):
    """The request contradicts the present state."""

    KIND = "conflict"


class Changed(Refused):
    """The aggregate is no longer at a version that the client named in If-Match.

    `version`: the one that it is at, the offset of its newest event; negative if that is not in the log yet.
    `position`: where that event is, if it is known; what is read after it has this version.
    """

    KIND = "changed"

    def __init__(self, detail: str, version: int = -1, position: Position | None = None) -> None:
        super().__init__(detail)
        self.version = version
        self.position = position


class KeyReused(Refused):
    """An idempotency key was used again with another content."""

    KIND = "key-reused"


class StaleToken(Refused):
    """The sender's fencing token is lower than one that the aggregate has accepted: its lease has ended."""

    KIND = "fenced"


class HeldBack(Refused):
    """A record of the aggregate cannot be read; its commands are refused until an operator resolves that."""

    KIND = "held-back"


class LeaseOver(Exception):
    """The lease of a lock has ended: another may hold it by now."""


class Malformed(Exception):
    """A record cannot be decoded as its type requires."""
