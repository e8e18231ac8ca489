"""The catalogue of table sets in MariaDB: each set's database, its state, and its uses.

MariaDB commits before and after each change of tables, and locks of a Galera node are unknown to the others.
So a set is made in the state `building` and used by rows that each process renews; and every transaction that
changes the catalogue changes its one row `turn`, so that of two at once one waits, or fails and is repeated.
"""

import re
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from bookshelf.cqrs.view import View
from bookshelf.storage import checkpoints
from bookshelf.storage.checkpoints import LOOK, seen
from bookshelf.storage.mariadb.address import CATALOGUE_SCHEMA, MariaDbAddress
from bookshelf.storage.mariadb.database import COLLATION
from bookshelf.storage.port import StorageFault, TableSetDropped, TableSetStatus

#: Seconds without a renewal after which a use has ended.
USE_S = 60
_BUILDING, _LIVE, _FORMER, _DROPPING = "building", "live", "former", "dropping"
#: The partition number of the row of `look` that shows whether the set is a former one.
_NO_CHECKPOINT = -2

_CATALOGUE = MetaData(schema=CATALOGUE_SCHEMA)
sets = Table(
    "table_set",
    _CATALOGUE,
    Column("number", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("view", String(200), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("source", String(400), nullable=False),
    Column("state", String(20), nullable=False),
    mysql_engine="InnoDB",
)
uses = Table(
    "table_set_use",
    _CATALOGUE,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("user", String(40), primary_key=True),
    Column("renewed", DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql"), nullable=False),
    mysql_engine="InnoDB",
)
turn = Table(
    "turn",
    _CATALOGUE,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    mysql_engine="InnoDB",
)
_now = func.now(6)
_VARIABLES = "SHOW VARIABLES WHERE variable_name IN"
#: A grant that lets a user create triggers on every server.
_MAY = re.compile(r"\b(ALL PRIVILEGES|SUPER)\b.* ON \*\.\*")


def make(db: Connection, address: MariaDbAddress) -> None:
    """Create the catalogue if it does not exist. Raises `StorageFault` for a server that is no MariaDB."""
    if not getattr(db.dialect, "is_mariadb", False):
        msg = "the server at the address of the setting `storage` is no MariaDB"
        raise StorageFault(msg)
    _check_triggers(db)
    inside = db.execution_options(schema_translate_map=address.schemas())
    if not db.dialect.has_table(inside, turn.name, schema=address.database):
        _create_database(db, address.database)
        for table in _CATALOGUE.sorted_tables:
            inside.execute(CreateTable(table, if_not_exists=True))  # another instance may do the same
    inside.execute(insert(turn).prefix_with("IGNORE"), {"number": 0, "count": 0})


def _check_triggers(db: Connection) -> None:
    """Raise `StorageFault` if the user may not create the triggers that tables with a search have."""
    names = "'log_bin', 'wsrep_on', 'log_bin_trust_function_creators'"
    found = {str(name).lower(): value for name, value in db.exec_driver_sql(f"{_VARIABLES} ({names})")}
    if found.get("log_bin_trust_function_creators") == "ON" or "ON" not in found.values():
        return
    if any(_MAY.search(grant) for (grant,) in db.exec_driver_sql("SHOW GRANTS")):
        return
    msg = (
        "MariaDB has a binary log, or is a node of a Galera cluster, and the user of the setting `storage`"
        " may not create triggers there; set log_bin_trust_function_creators=ON on each server"
    )
    raise StorageFault(msg)


def _create_database(db: Connection, name: str) -> None:
    db.execute(text(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE {COLLATION}"))


def take_turn(db: Connection) -> None:
    """Begin a change of the catalogue, which ends with the transaction."""
    db.execute(update(turn).values(count=turn.c.count + 1))


def newest_live(db: Connection, view: str, topic: str) -> int | None:
    """Return the number of the newest live set of a view of a topic, of whatever version and log."""
    here = (sets.c.view == view, sets.c.source.endswith(f"/{topic}"), sets.c.state == _LIVE)
    found: int | None = db.scalar(select(func.max(sets.c.number)).where(*here))
    return found


def live(db: Connection, view: View, source: str) -> tuple[int, str] | None:
    """Return the number and name of the live set of this version and log, if there is one."""
    here = and_(sets.c.view == view.name, sets.c.source == source, sets.c.version == view.version)
    found = db.execute(select(sets.c.number, sets.c.name).where(here, sets.c.state == _LIVE)).first()
    return None if found is None else (found.number, found.name)


def add(db: Connection, view: View, source: str, user: str) -> tuple[int, str]:
    """Note a new set in the state `building`, used by this process; return its number and name."""
    # consumer groups are named after sets, and two databases on one log must not share a group
    name = f"{view.name}-{uuid4().hex}"
    row = {"name": name, "view": view.name, "version": view.version, "source": source, "state": _BUILDING}
    key = db.execute(insert(sets), row).inserted_primary_key
    assert key is not None  # noqa: S101 (an insert of one row has one)
    number: int = key[0]
    use(db, number, user)
    return number, name


def build(db: Connection, address: MariaDbAddress, number: int, view: View, source: str) -> None:
    """Create the database of a new set, with its tables. Nothing here is undone by a rollback."""
    db.execute(text(f"DROP DATABASE IF EXISTS `{address.schema(number)}`"))  # of an attempt that has failed
    _create_database(db, address.schema(number))
    inside = db.execution_options(schema_translate_map=address.schemas(number))
    view.tables.create_all(inside, checkfirst=False)
    checkpoints.begin(inside, source=source, version=str(view.version))


def use(db: Connection, number: int, user: str) -> None:
    """Note that a process uses a set, or renew that."""
    renewed = mysql.insert(uses).values(number=number, user=user, renewed=_now)
    db.execute(renewed.on_duplicate_key_update(renewed=_now))


def renew(db: Connection, numbers: list[int], user: str) -> None:
    """Renew the uses of a process."""
    for number in numbers:
        use(db, number, user)


def leave(db: Connection, number: int, user: str) -> None:
    """Note that a process no longer uses a set."""
    db.execute(delete(uses).where(uses.c.number == number, uses.c.user == user))


def point(db: Connection, number: int) -> None:
    """Make this set the live one of its view, version and log. Raises `TableSetDropped`."""
    own = db.execute(select(sets).where(sets.c.number == number, sets.c.state != _DROPPING)).first()
    if own is None:
        msg = "the new set was dropped before it went live"
        raise TableSetDropped(msg)
    same = and_(sets.c.view == own.view, sets.c.source == own.source, sets.c.version == own.version)
    db.execute(update(sets).where(same, sets.c.state == _LIVE).values(state=_FORMER))
    db.execute(update(sets).where(sets.c.number == number).values(state=_LIVE))


def doomed(db: Connection, view: View, source: str, *, other_versions: bool) -> list[int]:
    """Mark the sets of this view and log that are neither live nor in use; return all that are to be dropped.

    `other_versions`: also unused live ones of other versions of the view.
    """
    left = sets.c.state != _LIVE
    if other_versions:
        left = or_(left, sets.c.version != view.version)
    ends = func.timestampadd(text("SECOND"), -USE_S, _now)
    used = exists().where(uses.c.number == sets.c.number, uses.c.renewed > ends)
    here = and_(
        sets.c.view == view.name, sets.c.source == source, left, or_(~used, sets.c.state == _DROPPING)
    )
    numbers = list(db.scalars(select(sets.c.number).where(here).order_by(sets.c.number)))
    if numbers:
        db.execute(update(sets).where(sets.c.number.in_(numbers)).values(state=_DROPPING))
    return numbers


def drop(db: Connection, address: MariaDbAddress, number: int) -> None:
    """Drop the database of a set that is marked, and its row last: what a crash leaves is dropped again."""
    db.execute(text(f"DROP DATABASE IF EXISTS `{address.schema(number)}`"))
    db.execute(delete(uses).where(uses.c.number == number))
    db.execute(delete(sets).where(sets.c.number == number, sets.c.state == _DROPPING))


def look(db: Connection, number: int) -> TableSetStatus:
    """Return the status of a set, read by one statement. Raises `TableSetDropped`."""
    former = func.if_(sets.c.state == _FORMER, 1, 0)
    here = (sets.c.number == number, sets.c.state != _DROPPING)
    rows = db.execute(union_all(*LOOK, select(literal(_NO_CHECKPOINT), former, literal("")).where(*here)))
    found: dict[int, tuple[int, str]] = {row.part: (row.off, row.mark) for row in rows}
    if _NO_CHECKPOINT not in found:
        msg = f"the table set {number} was dropped"
        raise TableSetDropped(msg)
    return seen(found, former=bool(found.pop(_NO_CHECKPOINT)[0]))
