"""The events of sessions, and the catalogue of their topic.

The key of a client's session is made of the hash of its id, so no record has what a client proves itself
with. Values are JSON, by full key (`service/NAME/KEY`, `group/NAME/KEY`, `shared/KEY`).
"""

from datetime import datetime
from typing import ClassVar

import msgspec

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event

TOPIC = "sessions"
#: JSON values by full key.
Values = dict[str, msgspec.Raw]


class ClientSessionOpened(Event, frozen=True):
    """A client has a session, in a domain; `owner` is the account of its person, empty without one.

    `idle_s`: seconds without use after which it is closed.
    """

    TYPE: ClassVar[str] = "cluster.client-session-opened.v1"
    domain: str
    service: str
    owner: str
    idle_s: float
    at: datetime


class ClientSessionChanged(Event, frozen=True):
    """Values were set, keys dropped, after `versions` were read; with neither, the session was used.

    `keys` and `bytes` are those of the whole session from then on.
    """

    TYPE: ClassVar[str] = "cluster.client-session-changed.v1"
    set: Values
    drop: tuple[str, ...]
    versions: dict[str, int]
    at: datetime
    keys: int
    bytes: int


class ClientSessionCopied(Event, frozen=True):
    """The whole session, so that its earlier events may be deleted."""

    TYPE: ClassVar[str] = "cluster.client-session-copied.v1"
    domain: str
    service: str
    owner: str
    idle_s: float
    opened: datetime
    touched: datetime
    at: datetime
    n: int
    set: Values
    versions: dict[str, int]
    scopes: dict[str, int]
    bytes: int


class ClientSessionClosed(Event, frozen=True):
    """The session has ended: by its `client`, as it was `idle`, or by an `operator`."""

    TYPE: ClassVar[str] = "cluster.client-session-closed.v1"
    reason: str
    at: datetime


class SharedStateChanged(Event, frozen=True):
    """Values of all clients were set, keys dropped, after `versions` were read."""

    TYPE: ClassVar[str] = "cluster.shared-state-changed.v1"
    set: Values
    drop: tuple[str, ...]
    versions: dict[str, int]
    at: datetime


class SharedStateCopied(Event, frozen=True):
    """The whole state, so that its earlier events may be deleted."""

    TYPE: ClassVar[str] = "cluster.shared-state-copied.v1"
    at: datetime
    n: int
    set: Values
    versions: dict[str, int]
    scopes: dict[str, int]


CLIENT_EVENTS = (ClientSessionOpened, ClientSessionChanged, ClientSessionCopied, ClientSessionClosed)
SHARED_EVENTS = (SharedStateChanged, SharedStateCopied)
EVENTS = Catalogue(*CLIENT_EVENTS, *SHARED_EVENTS)
