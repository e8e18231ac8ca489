"""Sessions of clients and locks: numbers, ages and holders, and the end of a session."""

from collections.abc import Mapping

import msgspec

from bookshelf.cluster.pages.example_cluster import NOW, example_locks, example_sessions
from bookshelf.cluster.pages.models import (
    COMMIT,
    LOCKS,
    READ,
    SESSIONS,
    ConsoleLock,
    SessionTotals,
    may_commit,
)
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES = {"session-ended": _("The session is closed.")}
CLOSED_NAMES: Mapping[str, str] = {
    "client": _("closed by the client"),
    "idle": _("closed after a time without use"),
    "operator": _("closed by an operator"),
}
_ROWS = 50


class SessionListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of which service, and from where on."""

    service: str = ""
    after: str = ""


class SessionListModel(Model):
    """A page of sessions with the numbers of all; `can_end`: by the caller."""

    totals: SessionTotals
    service: str
    more_address: str
    first_address: str
    can_end: bool
    closed_names: Mapping[str, str]


class SessionEndForm(Form):
    """Nothing to fill in."""


class SessionEndModel(Model):
    """The session that is closed."""

    key: str


class LockLine(msgspec.Struct, frozen=True):
    """A lock, and the seconds until its lease ends unless it is renewed."""

    lock: ConsoleLock
    left_s: int


class LockListModel(Model):
    """The locks that are held."""

    rows: tuple[LockLine, ...]


async def show_sessions(request: PageRequest) -> Page:
    """Show a page of sessions."""
    query = request.query
    asked = target("/cluster/sessions", service=query.service, after=query.after, limit=_ROWS)
    found = await request.api.get(asked, kind=SessionTotals)
    more = "" if found.cursor is None else target(SESSIONS, service=query.service, after=found.cursor)
    first = target(SESSIONS, service=query.service) if query.after else ""
    return _sessions(found.body, query.service, more, first, can_end=may_commit(request.caller))


def _sessions(
    totals: SessionTotals, service: str = "", more: str = "", first: str = "", *, can_end: bool = True
) -> Page:
    model = SessionListModel(
        totals=totals,
        service=service,
        more_address=more,
        first_address=first,
        can_end=can_end,
        closed_names=CLOSED_NAMES,
    )
    return Page("sessions.html", model)


async def ask_end_session(request: PageRequest) -> Page:
    """Ask whether a session is closed."""
    return _end_page(request.path["key"])


def _end_page(key: str) -> Page:
    return Page("end_session.html", SessionEndModel(key=key))


async def end_session(request: PageRequest, _form: SessionEndForm) -> Redirect:
    """Close a session. Raises `ApiProblem`."""
    await request.api.delete(f"/cluster/sessions/{segment(request.path['key'])}")
    return Redirect(SESSIONS, notice="session-ended")


async def show_locks(request: PageRequest) -> Page:
    """Show the locks that are held."""
    found = await request.api.get("/cluster/locks", kind=tuple[ConsoleLock, ...])
    lines = tuple(
        LockLine(lock, max(0, round((lock.until - request.now).total_seconds()))) for lock in found.body
    )
    return _locks(lines)


def _locks(rows: tuple[LockLine, ...]) -> Page:
    return Page("locks.html", LockListModel(rows=rows))


def _session_examples() -> Mapping[str, Page]:
    usual = example_sessions()
    long = msgspec.structs.replace(usual.sessions[0], service="counter" * 9, bytes=65_536, keys=200)
    many = msgspec.structs.replace(usual, open=123_456, closed=9876, bytes=10**9, sessions=(long,) * 9)
    return {
        "usual": _sessions(usual),
        "seen only": _sessions(usual, "counter", can_end=False),
        "empty": _sessions(SessionTotals(open=0, closed=0, bytes=0, sessions=())),
        "long": _sessions(many, "", target(SESSIONS, after="x"), SESSIONS),
    }


def _end_examples() -> Mapping[str, Page]:
    return {"usual": _end_page(example_sessions().sessions[0].key), "long": _end_page("x" * 22)}


def _lock_examples() -> Mapping[str, Page]:
    lines = tuple(LockLine(lock, round((lock.until - NOW).total_seconds())) for lock in example_locks())
    long = ConsoleLock(name="n" * 200, holder="h" * 200, token=2**53, since=NOW, until=NOW)
    return {
        "usual": _locks(lines),
        "empty": _locks(()),
        "long": _locks((*lines, LockLine(long, 86_400))),
    }


PAGES = (
    PageRoute(
        SESSIONS,
        get=show_sessions,
        title=_("Sessions"),
        params=SessionListQuery,
        section=SESSIONS,
        examples=_session_examples,
        requires=READ,
    ),
    PageRoute(
        f"{SESSIONS}/{{key}}/end",
        get=ask_end_session,
        post=end_session,
        form=SessionEndForm,
        title=_("Close the session?"),
        section=SESSIONS,
        examples=_end_examples,
        requires=(*READ, COMMIT),
    ),
    PageRoute(LOCKS, get=show_locks, title=_("Locks"), section=LOCKS, examples=_lock_examples, requires=READ),
)
