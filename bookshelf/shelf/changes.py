"""The changes of the shelf: what each command did, how it is taken back, and a stream of new events."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Select, select

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.route import Answer, EventsRoute, Owned, QueryRoute, Span
from bookshelf.shelf.book_list import VIEW
from bookshelf.shelf.book_tables import HISTORY
from bookshelf.shelf.events import EVENTS, TOPIC
from bookshelf.shelf.history import Happened, happened
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.undo import PastEvent, Undo, undo

_past = HISTORY.events
_Id = Annotated[str, Meta(max_length=255)]


class ChangeList(Owned, kw_only=True):
    """Which changes, newest first."""

    book: Annotated[_Id, Meta(description="only changes of this book, list or goal")] | None = None
    correlation: Annotated[_Id, Meta(description="only changes with this correlation id")] | None = None
    limit: Annotated[int, Meta(ge=1, le=100, description="how many, at the most")] = 50
    after: Annotated[_Id, Meta(description="from the Link of the page before")] | None = None


class OneChange(Owned, kw_only=True):
    """Which change."""

    id: Annotated[
        _Id, Meta(description="the id of the change", examples=["019cab12-3400-7000-8000-000000000001"])
    ]


class ChangeAnswer(Undo, frozen=True, kw_only=True, omit_defaults=True):
    """What one command did to a book, a list or a goal; and how that is taken back, or what prevents it."""

    id: Annotated[str, Meta(examples=["019cab12-3400-7000-8000-000000000001"])]
    subject: Annotated[str, Meta(description="the id of the book, list or goal", examples=["up-next"])]
    time: Annotated[datetime, Meta(examples=["2026-01-31T12:00:00Z"])]
    actor: Annotated[str, Meta(description="whose command it was", examples=["reader"])]
    correlation: Annotated[str, Meta(description="joins changes", examples=["import-1"])] | UnsetType = UNSET
    undoes: Annotated[str, Meta(description="the change that it takes back")] | UnsetType = UNSET
    events: tuple[Happened, ...]


class NewEvent(msgspec.Struct, frozen=True):
    """An event that a view has just applied."""

    position: Annotated[str, Meta(description="where it is in the log", examples=["bookshelf/0@42"])]
    subject: Annotated[str, Meta(description="the id of the book, list or goal", examples=["up-next"])]
    type: Annotated[str, Meta(description="the type of the event", examples=["shelf.book-finished.v1"])]


def _of_owner(query: Select[Any], owner: str | None) -> Select[Any]:
    """Return the query for the changes of one person's things."""
    return query.where(_past.c.owner == (owner or ""))


def _key_of(name: str, owner: str | None) -> str:
    """Return the key of what a person calls `name`: that of up-next, or of a goal, names the person."""
    own = name == UP_NEXT or name.startswith("goal-")
    return name if owner is None or not own else f"{name}:{owner}"


def _name_of(row: Any) -> str:  # noqa: ANN401 (a row of the table)
    """Return what the owner calls the subject of a row."""
    return str(row.subject).removesuffix(f":{row.owner}") if row.owner else str(row.subject)


def list_changes(db: Any, asked: ChangeList) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of changes, newest first. Their ids sort by time."""
    query = _of_owner(select(_past.c.change, _past.c.subject).where(_past.c.first), asked.owner)
    book = None if asked.book is None else _key_of(asked.book, asked.owner)
    for column, value in ((_past.c.subject, book), (_past.c.correlation, asked.correlation)):
        query = query if value is None else query.where(column == value)
    if asked.after is not None:
        query = query.where(_past.c.change < asked.after)
    rows = db.execute(query.order_by(_past.c.change.desc()).limit(asked.limit + 1)).all()
    page = rows[: asked.limit]
    found = _changes(db, page)
    return Answer(
        [found[row.change] for row in page], after=page[-1].change if len(rows) > asked.limit else None
    )


def one_change(db: Any, asked: OneChange) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return one change. Raises `NotFound`."""
    query = _of_owner(select(_past.c.change, _past.c.subject), asked.owner)
    row = db.execute(query.where(_past.c.change == asked.id, _past.c.first)).first()
    if row is None:
        raise NotFound("there is no such change; GET /changes lists them")
    return Answer(_changes(db, [row])[asked.id])


def _changes(db: Any, page: Sequence[Any]) -> dict[str, ChangeAnswer]:  # noqa: ANN401 (the storage's connection)
    """Return the changes of these rows by id. All events of each subject are read, for the undo requests."""
    found: dict[str, ChangeAnswer] = {}
    for subject in dict.fromkeys(row.subject for row in page):
        rows = db.execute(HISTORY.of(subject)).all()
        wanted = {row.change for row in page if row.subject == subject}
        past = [PastEvent(event, row.change, row.undoes or "") for row, event in _decoded(rows)]
        undos = undo(subject, past, wanted, rows[-1].off)
        of_change: dict[str, list[Any]] = {}
        for row in rows:
            of_change.setdefault(row.change, []).append(row)
        for change in wanted:
            of = of_change[change]
            found[change] = ChangeAnswer(
                id=change,
                subject=_name_of(of[0]),
                time=datetime.fromisoformat(of[0].time),
                actor=of[0].actor,
                correlation=of[0].correlation or UNSET,
                undoes=of[0].undoes or UNSET,
                events=tuple(map(happened, of)),
                undo=undos[change].undo,
                blocked_by=undos[change].blocked_by,
                undone=undos[change].undone,
            )
    return found


def _decoded(rows: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    for row in rows:
        event = EVENTS.decode(row.type, row.data)
        if event is not None:
            yield row, event


def new_events(db: Any, asked: Owned, span: Span) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the events of a span of records, in the order of each partition; nothing if there are none."""
    found: list[NewEvent] = []
    for partition, offsets in span.items():
        if offsets:
            query = _of_owner(select(_past).filter_by(part=partition), asked.owner)
            inside = _past.c.off.between(offsets.start, offsets.stop - 1)
            for row in db.execute(query.where(inside).order_by(_past.c.off)):
                found.append(NewEvent(str(Position(TOPIC, row.part, row.off)), _name_of(row), row.type))  # noqa: PERF401
    return Answer(found or None)


ROUTES = (
    QueryRoute(
        path="/changes",
        summary="What was done, newest first, with the requests that take it back",
        view=VIEW,
        query=list_changes,
        params=ChangeList,
        returns=list[ChangeAnswer],
    ),
    QueryRoute(
        path="/changes/{id}",
        summary="One change, with the requests that take it back, or the changes that prevent it",
        view=VIEW,
        query=one_change,
        params=OneChange,
        returns=ChangeAnswer,
    ),
    EventsRoute(
        path="/changes/events",
        summary="A stream of new events",
        view=VIEW,
        query=new_events,
        params=Owned,
        returns=list[NewEvent],
    ),
)
