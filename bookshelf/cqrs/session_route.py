"""Declares routes with a session: their handlers read and change the state of a client on any node."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.handler import WRITE
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.session_state import (
    Differences,
    Exclusions,
    SessionContent,
    SessionLevel,
    joined,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How a service keeps sessions. `group` is the name of its service group, of which it shares a level.

    `scope`: `session` keeps the levels of service and group for each client, `application` once for all
    clients, and `request` keeps nothing. `exclude`: patterns of the keys that stay in the process, by level;
    `*` for all levels. `reads`: a request waits for the positions that its client has seen (`positions`), or
    reads what this node has (`local`). Raises ValueError.
    """

    group: str
    scope: Literal["request", "session", "application"] = "session"
    exclude: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    reads: Literal["positions", "local"] = "positions"

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.group) is None:
            msg = f"{self.group[:100]!r} is no name of a service group: small letters, digits and hyphens"
            raise ValueError(msg)
        if self.scope not in {"request", "session", "application"}:
            msg = f"{self.scope!r} is no scope of sessions: request, session or application"
            raise ValueError(msg)
        Exclusions(self.exclude)


def all_excluded(settings: Iterable[SessionSettings]) -> Mapping[str, tuple[str, ...]]:
    """Return the patterns of keys that any of these settings excludes, by level."""
    found: dict[str, dict[str, None]] = {}
    for each in settings:
        for level, patterns in each.exclude.items():
            found.setdefault(level, {}).update(dict.fromkeys(patterns))
    return {level: tuple(patterns) for level, patterns in found.items()}


class HandlerSession:
    """What a handler gets: the levels `service`, `group` and `shared`, each a mapping of keys to JSON values.

    The levels of service and group are this client's, or all clients' with the scope `application`. A
    handler may change these two, or `shared`, in one request: they are kept apart.
    """

    def __init__(
        self,
        service: str,
        sessions: SessionSettings,
        own: SessionContent,
        shared: SessionContent,
        process: dict[str, Any],
        shared_process: dict[str, Any],
    ) -> None:
        exclusions = Exclusions(sessions.exclude)
        group = sessions.group
        self.service = SessionLevel("service", f"service/{service}/", own, exclusions, process)
        self.group = SessionLevel("group", f"group/{group}/", own, exclusions, process)
        self.shared = SessionLevel("shared", "shared/", shared, exclusions, shared_process)

    def own_differences(self) -> Differences:
        """Return what was changed in the levels of service and group. Raises `Invalid`, `StateTooLarge`."""
        return joined(self.service.differences(), self.group.differences())

    def shared_differences(self) -> Differences:
        """Return what was changed in the level `shared`. Raises `Invalid`, `StateTooLarge`."""
        return self.shared.differences()


#: Answers a request: a function of the session and the decoded body. It returns what is sent as JSON, None
#: for an answer without a body. It may be called again with a newer session, so it does nothing else.
SessionHandler = Callable[[HandlerSession, Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRoute:
    """A request that `handler(session, body)` answers. What it changes in the session is kept on all nodes.

    `body` is the type of the JSON body, None for a request without one; `returns` is the type of the answer.
    `requires`: the scopes that the caller must have; () for every person with an account, None for everyone.
    """

    method: str
    path: str
    summary: str
    handler: SessionHandler
    sessions: SessionSettings
    body: Any = None
    returns: Any = None
    requires: tuple[str, ...] | None = WRITE
    body_bytes: int = 1 << 20
    deadline_s: float | None = None


class OpeningSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is opened with: domain, service, and the account of its person (empty: none).

    It ends by itself after `idle_s` seconds without use.
    """

    domain: str
    service: str
    owner: str
    idle_s: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """The aggregates of sessions, and what makes their commands; the runtime gets them from the start.

    `open`, `change`, `use`, and `change_shared` make commands: to open a session with its first values; to
    change it; to note that it was used; to change the state that is shared. The states have `content`; those
    of `session` have `owner`, `domain`, `is_open` and `touched` too.
    """

    session: Aggregate[Any]
    shared: Aggregate[Any]
    open: Callable[[OpeningSession, Differences], Command]
    change: Callable[[Differences, datetime], Command]
    use: Callable[[datetime], Command]
    change_shared: Callable[[Differences, datetime], Command]
