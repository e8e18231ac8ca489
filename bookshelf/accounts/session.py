"""A session: one sign-in of a person, with the rotation of its refresh token (RFC 9700, 4.14.2)."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

import msgspec

from bookshelf.accounts.events import (
    EVENTS,
    SESSION_EVENTS,
    TOPIC,
    SessionEnded,
    SessionOpened,
    SessionRotated,
    SessionUsed,
)
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command, Event, State, sealed

#: The time in which the former refresh token is answered with its successor again: two tabs may race.
GRACE = timedelta(seconds=10)


class OpenSession(Command, frozen=True):
    """Sign in; the fields are those of `SessionOpened`."""

    TYPE: ClassVar[str] = "accounts.open-session.v1"
    account: str
    epoch: int
    browser: bool
    at: datetime
    until: datetime
    ends: datetime
    idle_s: int
    client: str
    program: Annotated[str, sealed("program")]
    network: Annotated[str, sealed("network")]


class RotateRefresh(Command, frozen=True):
    """Use refresh token number `n`, from a client; `until` is the end of the new access token."""

    TYPE: ClassVar[str] = "accounts.rotate-refresh.v1"
    n: int
    client: str
    at: datetime
    until: datetime


class UseSession(Command, frozen=True):
    """Exchange a browser's session for an access token that is valid until then."""

    TYPE: ClassVar[str] = "accounts.use-session.v1"
    at: datetime
    until: datetime


class EndSession(Command, frozen=True):
    """End the session."""

    TYPE: ClassVar[str] = "accounts.end-session.v1"
    reason: str


class Session(State, frozen=True):
    """The state of a session. `n` is the number of its refresh token; `ended` has the reason of its end."""

    account: str = ""
    epoch: int = 0
    browser: bool = False
    n: int = 0
    client: str = ""
    at: datetime | None = None
    rotated: datetime | None = None
    until: datetime | None = None
    ends: datetime | None = None
    idle_s: int = 0
    ended: str = ""

    @property
    def is_open(self) -> bool:
        """True from its opening to its end."""
        return bool(self.account) and not self.ended


def decide(state: Session, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`."""
    match command:
        case OpenSession() if state.account:
            raise Conflict("this id is taken")
        case OpenSession():
            return [SessionOpened(**msgspec.structs.asdict(command))]
        case EndSession() if state.ended:
            return []
        case _ if not state.is_open:
            raise NotFound("there is no such session")
        case EndSession(reason=reason):
            return [SessionEnded(account=state.account, reason=reason)]
        case UseSession(at=at, until=until):
            return [SessionUsed(at=at, until=until)]
        case RotateRefresh():
            return _rotated(state, command)
    return []


def _rotated(state: Session, command: RotateRefresh) -> list[Event]:
    """Return the next token's event; none for the former token in its grace; else the session's end."""
    if command.n == state.n:
        return [SessionRotated(n=state.n + 1, client=command.client, at=command.at, until=command.until)]
    in_grace = state.rotated is not None and command.at - state.rotated <= GRACE
    if command.n == state.n - 1 and in_grace and command.client == state.client:
        return []
    return [SessionEnded(account=state.account, reason="reuse")]


def evolve(state: Session, event: Event) -> Session:
    """Return the session after an event."""
    replace = msgspec.structs.replace
    match event:
        case SessionOpened():
            return Session(
                account=event.account,
                epoch=event.epoch,
                browser=event.browser,
                client=event.client,
                at=event.at,
                until=event.until,
                ends=event.ends,
                idle_s=event.idle_s,
            )
        case SessionRotated(n=n, client=client, at=at, until=until):
            return replace(state, n=n, client=client, rotated=at, until=until)
        case SessionUsed(until=until):
            return replace(state, until=until)
        case SessionEnded(reason=reason):
            return replace(state, ended=reason)
    return state


def due(state: Session) -> tuple[datetime, Command] | None:
    """Return when the session ends by itself: at its end, or after its last access token was not renewed."""
    if not state.is_open or state.until is None or state.ends is None:
        return None
    idle = state.until + timedelta(seconds=state.idle_s)
    if idle < state.ends:
        return idle, EndSession(reason="idle")
    return state.ends, EndSession(reason="expired")


SESSION = Aggregate(
    name="session",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Session(),
    decide=decide,
    evolve=evolve,
    due=due,
    takes=(OpenSession, RotateRefresh, UseSession, EndSession),
    folds=SESSION_EVENTS,
)
