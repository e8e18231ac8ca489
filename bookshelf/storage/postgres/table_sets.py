"""The catalogue of table sets in PostgreSQL: each set's schema, and whether it is live, building or former.

A process that uses a set holds a shared advisory lock on its number, so a set that can be locked exclusively
is unused. One more advisory lock, held to the end of the transaction, serialises all changes here.
"""

from uuid import uuid4

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    inspect,
    literal,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema, DropSchema

from bookshelf.cqrs.view import View
from bookshelf.storage import faults
from bookshelf.storage.checkpoints import LOOK, seen, upgrade
from bookshelf.storage.port import TableSetDropped, TableSetStatus
from bookshelf.storage.statements import TEXT

#: The first half of every advisory lock here ("book"); the second is a set's number, or 0 for all changes.
_LOCKS, _TURN = 0x626F6F6B, 0
_LOCKED = "55P03"
_SCHEMA = "bookshelf"
_BUILDING, _LIVE, _FORMER = "building", "live", "former"
#: The partition number of the row of `look` that shows whether the set is a former one.
_NO_CHECKPOINT = -2

CATALOGUE = MetaData(schema=_SCHEMA)
sets = Table(
    "table_set",
    CATALOGUE,
    Column("number", Integer, primary_key=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("view", TEXT, nullable=False),
    Column("version", Integer, nullable=False),
    Column("source", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
)
_kind = (sets.c.view, sets.c.version, sets.c.source)
Index("one_live_set", *_kind, unique=True, postgresql_where=sets.c.state == _LIVE)


def take_turn(db: Connection) -> None:
    """Lock the catalogue for a change, to the end of the transaction, which is committed with an fsync."""
    db.execute(text("SET LOCAL synchronous_commit TO on"))
    db.execute(select(func.pg_advisory_xact_lock(_LOCKS, _TURN)))


def make(db: Connection) -> None:
    """Create the catalogue if it does not exist."""
    if not inspect(db).has_table(sets.name, schema=_SCHEMA):
        take_turn(db)
        db.execute(CreateSchema(_SCHEMA, if_not_exists=True))
        CATALOGUE.create_all(db)


def newest_live(db: Connection, view: str, topic: str) -> int | None:
    """Return the number of the newest live set of a view of a topic, of whatever version and log."""
    here = (sets.c.view == view, sets.c.source.endswith(f"/{topic}"), sets.c.state == _LIVE)
    found: int | None = db.scalar(select(func.max(sets.c.number)).where(*here))
    return found


def live(db: Connection, view: View, source: str) -> tuple[int, str] | None:
    """Return the number and name of the live set of this version and log, if there is one."""
    of_kind = and_(*(c == v for c, v in zip(_kind, (view.name, view.version, source), strict=True)))
    found = db.execute(select(sets.c.number, sets.c.name).where(of_kind, sets.c.state == _LIVE)).first()
    if found is None:
        return None
    upgrade(db, schema(found.number))
    return found.number, found.name


def add(db: Connection, view: View, source: str, *, goes_live: bool) -> tuple[int, str]:
    """Create an empty schema for a new set; return its number and name."""
    # consumer groups are named after sets, and two databases on one log must not share a group
    name = f"{view.name}-{uuid4().hex}"
    made = {
        "name": name,
        "view": view.name,
        "version": view.version,
        "source": source,
        "state": _LIVE if goes_live else _BUILDING,
    }
    number: int = db.execute(insert(sets).returning(sets.c.number), made).scalar_one()
    db.execute(CreateSchema(schema(number)))
    return number, name


def schema(number: int) -> str:
    """Return the name of a set's schema."""
    return f"{_SCHEMA}_{number}"


def point(db: Connection, number: int) -> None:
    """Make this set the live one of its view, version and log. Raises `TableSetDropped`."""
    own = select(*_kind).where(sets.c.number == number).subquery()
    same = and_(*(column == own.c[column.name] for column in _kind))
    db.execute(update(sets).where(same, sets.c.state == _LIVE).values(state=_FORMER))
    moved = db.execute(update(sets).where(sets.c.number == number).values(state=_LIVE))
    if moved.rowcount != 1:
        msg = "the new set was dropped before it went live"
        raise TableSetDropped(msg)


def sweep(db: Connection, view: View, source: str, *, other_versions: bool) -> None:
    """Drop the sets of this view and log that are neither live nor in use.

    `other_versions`: also drop unused live ones of other versions of the view.
    """
    left = sets.c.state != _LIVE
    if other_versions:
        left = or_(left, sets.c.version != view.version)
    found = select(sets.c.number).where(sets.c.view == view.name, sets.c.source == source, left)
    for number in db.scalars(found.order_by(sets.c.number)).all():
        if db.scalar(select(func.pg_try_advisory_xact_lock(_LOCKS, number))):
            _drop(db, number)


def _drop(db: Connection, number: int) -> None:
    try:
        with db.begin_nested():
            db.execute(DropSchema(schema(number), cascade=True, if_exists=True))
            db.execute(delete(sets).where(sets.c.number == number))
    except DBAPIError as fault:
        if faults.state(fault) != _LOCKED:
            raise  # locked: a process that hangs uses the set and has lost its advisory lock


def hold(number: int) -> Select[tuple[bool]]:
    """Return the statement that marks a set as used by this session; its row is false for a dropped set."""
    return select(func.pg_try_advisory_lock_shared(_LOCKS, number))


def look(db: Connection, number: int) -> TableSetStatus:
    """Return the status of a set, read by one statement. Raises `TableSetDropped`."""
    is_former = case((sets.c.state == _FORMER, 1), else_=0)
    stands = select(literal(_NO_CHECKPOINT), is_former, literal("")).where(sets.c.number == number)
    rows = db.execute(union_all(*LOOK, stands))
    found: dict[int, tuple[int, str]] = {row.part: (row.off, row.mark) for row in rows}
    if _NO_CHECKPOINT not in found:
        msg = f"the table set {number} was dropped"
        raise TableSetDropped(msg)
    return seen(found, former=bool(found.pop(_NO_CHECKPOINT)[0]))
