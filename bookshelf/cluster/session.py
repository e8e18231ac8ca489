"""The session of a client: opened with its first values, changed, closed once it is not used.

A change names the versions of all that was read for it. If one of them is no longer the present one, it is
refused as a conflict; the sender decides again on the newer state, so no update is lost.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from bookshelf.cluster.session_events import (
    CLIENT_EVENTS,
    EVENTS,
    TOPIC,
    ClientSessionChanged,
    ClientSessionClosed,
    ClientSessionCopied,
    ClientSessionOpened,
    Values,
)
from bookshelf.cluster.session_state import (
    COPY_AFTER,
    ClientSession,
    check_read,
    ends_at,
    evolve,
    texts_of,
    values_of,
    versions_of,
    wants_copy,
)
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Gone, NotFound
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.session_state import changed_content, check_limits, content_bytes


class OpenClientSession(Command, frozen=True):
    """Open a session with its first values; the other fields are those of `ClientSessionOpened`."""

    TYPE: ClassVar[str] = "cluster.open-client-session.v1"
    domain: str
    service: str
    owner: str
    idle_s: float
    at: datetime
    set: Values


class ChangeClientSession(Command, frozen=True):
    """Set values and drop keys, if all that was read still has these versions."""

    TYPE: ClassVar[str] = "cluster.change-client-session.v1"
    set: Values
    drop: tuple[str, ...]
    versions: dict[str, int]
    scopes: dict[str, int]
    at: datetime


class UseClientSession(Command, frozen=True):
    """Note that the session was used."""

    TYPE: ClassVar[str] = "cluster.use-client-session.v1"
    at: datetime


class CloseClientSession(Command, frozen=True):
    """Close the session: for its client or an operator."""

    TYPE: ClassVar[str] = "cluster.close-client-session.v1"
    reason: str
    at: datetime


class ReviewClientSession(Command, frozen=True):
    """Close the session if it was not used, or write a copy of it: what is due at that time."""

    TYPE: ClassVar[str] = "cluster.review-client-session.v1"
    at: datetime


def decide(state: ClientSession, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`, `Gone`, `Invalid`."""
    match command:
        case OpenClientSession() if state.opened is not None:
            raise Conflict("this id is taken")
        case OpenClientSession():
            return _opened(command)
        case ReviewClientSession() | CloseClientSession() if state.closed:
            return []
        case _ if state.closed:
            raise Gone("this session was closed")
        case _ if state.opened is None:
            raise NotFound("there is no such session")
    return _decided(state, command)


def _decided(state: ClientSession, command: Command) -> list[Event]:
    """Return the events of a command on an open session."""
    match command:
        case CloseClientSession():
            return [ClientSessionClosed(reason=command.reason, at=command.at)]
        case ChangeClientSession():
            return _changed(state, command)
        case UseClientSession(at=at):
            return _used(state, at)
        case ReviewClientSession(at=at):
            return _reviewed(state, at)
    return []


def _opened(command: OpenClientSession) -> list[Event]:
    opened = ClientSessionOpened(
        domain=command.domain,
        service=command.service,
        owner=command.owner,
        idle_s=command.idle_s,
        at=command.at,
    )
    change = ChangeClientSession(set=command.set, drop=(), versions={}, scopes={}, at=command.at)
    return [opened, *(_changed(evolve(ClientSession(), opened), change) if command.set else ())]


def _changed(state: ClientSession, command: ChangeClientSession) -> list[Event]:
    check_read(state.content, command.versions, command.scopes)
    drop = tuple(key for key in command.drop if key in state.content.values and key not in command.set)
    if not command.set and not drop:
        return []
    texts = texts_of(command.set)
    content = changed_content(state.content, texts, drop)
    check_limits(content, texts)
    changed = ClientSessionChanged(
        set=command.set,
        drop=drop,
        versions=command.versions,
        at=command.at,
        keys=len(content.values),
        bytes=content_bytes(content),
    )
    return [changed, *_copy_of(evolve(state, changed), command.at)]


def _copy_of(state: ClientSession, at: datetime) -> list[Event]:
    """Return a full copy, if the last one is long past."""
    assert state.opened is not None  # noqa: S101 (it is open)
    assert state.touched is not None  # noqa: S101 (as above)
    if not wants_copy(state, at):
        return []
    copied = ClientSessionCopied(
        domain=state.domain,
        service=state.service,
        owner=state.owner,
        idle_s=state.idle_s,
        opened=state.opened,
        touched=state.touched,
        at=at,
        n=state.content.n,
        set=values_of(state.content),
        versions=versions_of(state.content),
        scopes=state.content.scopes,
        bytes=content_bytes(state.content),
    )
    return [copied]


def _used(state: ClientSession, at: datetime) -> list[Event]:
    """Return that the session was used; nothing if that is known, or another request has noted it."""
    if state.touched is None or at - state.touched < timedelta(seconds=state.idle_s) / 4:
        return []
    content = state.content
    used = ClientSessionChanged(
        set={}, drop=(), versions={}, at=at, keys=len(content.values), bytes=content_bytes(content)
    )
    return [used, *_copy_of(evolve(state, used), at)]


def _reviewed(state: ClientSession, at: datetime) -> list[Event]:
    ends = ends_at(state)
    if ends is not None and ends <= at:
        return [ClientSessionClosed(reason="idle", at=at)]
    return _copy_of(state, at)


def due(state: ClientSession) -> tuple[datetime, Command] | None:
    """Return when the session ends without use, or when its next full copy is due."""
    ends = ends_at(state)
    if not state.is_open or ends is None or state.copied is None:
        return None
    moment = min(ends, state.copied + COPY_AFTER)
    return moment, ReviewClientSession(at=moment)


CLIENT_SESSION = Aggregate(
    name="client-session",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=ClientSession(),
    decide=decide,
    evolve=evolve,
    due=due,
    takes=(OpenClientSession, ChangeClientSession, UseClientSession, CloseClientSession),
    folds=CLIENT_EVENTS,
    copied=True,
)
