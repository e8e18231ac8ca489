"""What the runtime needs of sessions: their aggregates, and functions that make their commands."""

from datetime import datetime

from bookshelf.cluster.session import (
    CLIENT_SESSION,
    ChangeClientSession,
    OpenClientSession,
    UseClientSession,
)
from bookshelf.cluster.session_state import raw_of
from bookshelf.cluster.shared_state import SHARED_STATE, ChangeSharedState
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.session_route import OpeningSession, SessionParts
from bookshelf.cqrs.session_state import Differences


def _open(opening: OpeningSession, first: Differences) -> Command:
    return OpenClientSession(
        domain=opening.domain,
        service=opening.service,
        owner=opening.owner,
        idle_s=opening.idle_s,
        at=opening.at,
        set=raw_of(first.set),
    )


def _change(differences: Differences, at: datetime) -> Command:
    return ChangeClientSession(
        set=raw_of(differences.set),
        drop=differences.drop,
        versions=differences.versions,
        scopes=differences.scopes,
        at=at,
    )


def _change_shared(differences: Differences, at: datetime) -> Command:
    return ChangeSharedState(
        set=raw_of(differences.set),
        drop=differences.drop,
        versions=differences.versions,
        scopes=differences.scopes,
        at=at,
    )


PARTS = SessionParts(
    session=CLIENT_SESSION,
    shared=SHARED_STATE,
    open=_open,
    change=_change,
    use=lambda at: UseClientSession(at=at),
    change_shared=_change_shared,
)
