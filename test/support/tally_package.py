"""A package with state: an aggregate with its view, values in sessions, and a primary."""

from bookshelf.cluster.packages import build_archive

_MANIFEST = """\
name = "tallies"
version = "%s"
group = "tallies"
api = 1
entry = "tallies.services:SERVICES"
scope = "application"
exclude = {"service" = ["*_here"]}
"""
_SERVICES = '''\
"""Counts."""

from collections.abc import Iterable
from typing import ClassVar

import msgspec
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, delete, insert, select

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.route import Answer, CommandRoute, Empty, QueryRoute
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import SessionRoute, SessionSettings
from bookshelf.cqrs.view import View
from bookshelf.http.message import Request, Response
from bookshelf.storage.statements import TEXT


class Counted(Event, frozen=True):
    """The tally is this now."""

    TYPE: ClassVar[str] = "tallies.counted.v1"
    total: int


class CountOne(Command, frozen=True):
    """Count one more."""

    TYPE: ClassVar[str] = "tallies.count-one.v1"


class Tally(State, frozen=True):
    """What was counted."""

    total: int = 0


TALLY = Aggregate(
    name="tally",
    topic="tallies",
    catalogue=Catalogue(Counted),
    initial=Tally(),
    decide=lambda tally, _command: [Counted(total=tally.total + 1)],
    evolve=lambda _tally, event: Tally(total=event.total),
)
TABLES = MetaData()
rows = Table("tally", TABLES, Column("id", TEXT, primary_key=True), Column("total", Integer, nullable=False))
_REMOVE = delete(rows).where(rows.c.id == bindparam("key"))
_PUT = insert(rows)
VIEW = View(
    name="tallies",
    topic="tallies",
    catalogue=Catalogue(Counted),
    tables=TABLES,
    handlers={
        Counted: lambda event, at: [
            (_REMOVE, {"key": at.subject}),
            (_PUT, {"id": at.subject, "total": event.total}),
        ]
    },
)


class Total(msgspec.Struct, frozen=True):
    """A tally."""

    total: int


class OneTally(msgspec.Struct, forbid_unknown_fields=True):
    """Which tally."""

    id: str


def find(db, asked):
    """Answer a tally."""
    row = db.execute(select(rows.c.total).where(rows.c.id == asked.id)).first()
    if row is None:
        raise NotFound("there is no such tally")
    return Answer(Total(row.total))


def count_in_session(session, _body):
    """Count in the level of the service, and under an excluded key."""
    for key in ("count", "count_here"):
        session.service[key] = session.service.get(key, 0) + 1
    return dict(session.service)


def read_session(session, _body):
    """Return the level of the service."""
    return dict(session.service)


async def token(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer with the fencing token of the primary, and the version of the package."""
    return Response(200, {}, f"{ports.primary_token} VERSION".encode())


SESSIONS = SessionSettings(group="of-the-code", scope="request")
SERVICES = (
    Service(
        name="tallies",
        summary="Counts",
        tags=("samples", "tallies"),
        port=8198,
        runs=(TALLY, VIEW),
        serves=(
            CommandRoute(
                method="POST",
                path="/tallies/{id}",
                summary="Count one",
                aggregate=TALLY,
                body=Empty,
                body_required=False,
                command=lambda _body, _context: CountOne(),
            ),
            QueryRoute(
                path="/tallies/{id}",
                summary="The tally",
                view=VIEW,
                query=find,
                params=OneTally,
                returns=Total,
            ),
            SessionRoute(
                method="POST",
                path="/tally-session",
                summary="Count",
                handler=count_in_session,
                sessions=SESSIONS,
                returns=dict[str, int],
            ),
            SessionRoute(
                method="GET",
                path="/tally-session",
                summary="The values",
                handler=read_session,
                sessions=SESSIONS,
                returns=dict[str, int],
            ),
            HandlerRoute(path="/tally-primary", summary="The token", handler=token, requires=None),
        ),
        primary_of="of-the-code",
    ),
)
'''


def tally_package(version: str) -> bytes:
    """Return the archive of a version; all have the same state."""
    return build_archive(
        {
            "package.toml": (_MANIFEST % version).encode(),
            "tallies/__init__.py": b'"""Counts."""\n',
            "tallies/services.py": _SERVICES.replace("VERSION", version).encode(),
        }
    )
