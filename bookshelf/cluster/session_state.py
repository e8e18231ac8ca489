"""The states of sessions and of what all clients share: folds of their events."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from bookshelf.cluster.session_events import (
    ClientSessionChanged,
    ClientSessionClosed,
    ClientSessionCopied,
    ClientSessionOpened,
    SharedStateChanged,
    SharedStateCopied,
    Values,
)
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Event, State
from bookshelf.cqrs.session_state import SessionContent, StoredValue, changed_content, outdated

#: A full copy is written after so many changes, and after so long.
COPY_CHANGES = 64
COPY_AFTER = timedelta(days=1)


class ClientSession(State, frozen=True):
    """A session: whose it is, when it was used, and its content. `closed` has the reason of its end.

    `copied` and `copied_n`: when, and at which change, the last full copy was written.
    """

    domain: str = ""
    service: str = ""
    owner: str = ""
    idle_s: float = 0.0
    opened: datetime | None = None
    touched: datetime | None = None
    closed: str = ""
    copied: datetime | None = None
    copied_n: int = 0
    content: SessionContent = SessionContent()

    @property
    def is_open(self) -> bool:
        """True from its opening to its end."""
        return self.opened is not None and not self.closed


class SharedState(State, frozen=True):
    """The state that all clients share; `copied`: as in a session, from the first change on."""

    copied: datetime | None = None
    copied_n: int = 0
    content: SessionContent = SessionContent()


def texts_of(values: Values) -> dict[str, str]:
    """Return the values of an event as texts."""
    return {key: bytes(value).decode() for key, value in values.items()}


def raw_of(texts: Mapping[str, str]) -> Values:
    """Return values as an event or a command has them."""
    return {key: msgspec.Raw(text.encode()) for key, text in texts.items()}


def content_of(n: int, values: Values, versions: Mapping[str, int], scopes: dict[str, int]) -> SessionContent:
    """Return the content of a full copy."""
    stored = {key: StoredValue(versions.get(key, n), text) for key, text in texts_of(values).items()}
    return SessionContent(n, stored, scopes)


def values_of(content: SessionContent) -> Values:
    """Return the values of a content as an event has them."""
    return raw_of({key: value.json for key, value in content.values.items()})


def versions_of(content: SessionContent) -> dict[str, int]:
    """Return the version of each key."""
    return {key: value.version for key, value in content.values.items()}


def check_read(content: SessionContent, versions: Mapping[str, int], scopes: Mapping[str, int]) -> None:
    """Check that what was read is as it was. Raises `Conflict`."""
    changed = outdated(content, versions, scopes)
    if changed is not None:
        msg = f"{changed} was changed meanwhile; decide again on the present session"
        raise Conflict(msg)


def wants_copy(state: ClientSession | SharedState, at: datetime) -> bool:
    """Return True if the last full copy is many changes, or a day, ago."""
    if state.content.n - state.copied_n >= COPY_CHANGES:
        return True
    return state.copied is not None and at - state.copied >= COPY_AFTER


def ends_at(state: ClientSession) -> datetime | None:
    """Return when the session ends if it is not used."""
    return None if state.touched is None else state.touched + timedelta(seconds=state.idle_s)


def evolve(state: ClientSession, event: Event) -> ClientSession:
    """Return the session after an event."""
    replace = msgspec.structs.replace
    match event:
        case ClientSessionOpened():
            return ClientSession(
                domain=event.domain,
                service=event.service,
                owner=event.owner,
                idle_s=event.idle_s,
                opened=event.at,
                touched=event.at,
                copied=event.at,
            )
        case ClientSessionCopied() if not state.closed:
            return _as_copied(event)
        case ClientSessionClosed(reason=reason):
            return ClientSession(closed=reason, opened=event.at)
        case ClientSessionChanged() if state.is_open:
            touched = max(event.at, state.touched or event.at)
            if not event.set and not event.drop:
                return replace(state, touched=touched)
            content = changed_content(state.content, texts_of(event.set), event.drop)
            return replace(state, touched=touched, content=content)
    return state


def _as_copied(event: ClientSessionCopied) -> ClientSession:
    return ClientSession(
        domain=event.domain,
        service=event.service,
        owner=event.owner,
        idle_s=event.idle_s,
        opened=event.opened,
        touched=event.touched,
        copied=event.at,
        copied_n=event.n,
        content=content_of(event.n, event.set, event.versions, event.scopes),
    )


def evolve_shared(state: SharedState, event: Event) -> SharedState:
    """Return the shared state after an event."""
    match event:
        case SharedStateChanged():
            content = changed_content(state.content, texts_of(event.set), event.drop)
            copied = state.copied or event.at
            return SharedState(copied=copied, copied_n=state.copied_n, content=content)
        case SharedStateCopied():
            content = content_of(event.n, event.set, event.versions, event.scopes)
            return SharedState(copied=event.at, copied_n=event.n, content=content)
    return state
