"""What every table set keeps beside the view's own tables: checkpoints, parked records, its descent."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from bookshelf.cqrs.view import Change

LEDGER = MetaData()

checkpoint = Table(
    "bookshelf_checkpoint",
    LEDGER,
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("off", BigInteger, nullable=False),
)

#: Dead letters: records that could not be applied (`reason`), and later ones of the same key (`behind`).
parked = Table(
    "bookshelf_parked",
    LEDGER,
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("off", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, index=True),
    Column("value", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("behind", Boolean, nullable=False),
)

about = Table(
    "bookshelf_about",
    LEDGER,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


class Superseded(Exception):
    """Another has moved the checkpoint: these rows are in already, or are another's to write."""


def checkpoints(db: Connection) -> dict[int, int]:
    """Return the offset that is applied next, by partition."""
    return {row.part: row.off for row in db.execute(select(checkpoint))}


def move(db: Connection, partition: int, old: int, new: int) -> None:
    """Move a checkpoint by compare-and-set. Raises `Superseded`: a zombie, or a double delivery."""
    if old == 0 and not db.execute(select(checkpoint.c.off).filter_by(part=partition)).first():
        db.execute(insert(checkpoint), {"part": partition, "off": new})
        return
    moved = db.execute(update(checkpoint).filter_by(part=partition, off=old).values(off=new))
    if moved.rowcount != 1:
        msg = f"the checkpoint of partition {partition} is no longer at {old}"
        raise Superseded(msg)


def run(db: Connection, changes: Iterable[Change]) -> None:
    """Run the statements: those on one table in order, neighbours of one statement as one batch.

    Statements on different tables may pass one another, so they must not depend on each other.
    """
    waiting: dict[Any, tuple[Any, list[Any]]] = {}
    for statement, values in changes:
        table = statement.table
        batch = waiting.get(table)
        if batch is not None and batch[0] is statement:
            batch[1].append(values)
            continue
        if batch is not None:
            db.execute(*batch)
        waiting[table] = (statement, [values])
    for batch in waiting.values():
        db.execute(*batch)


def park(db: Connection, letters: Sequence[dict[str, Any]]) -> None:
    """Keep records that cannot be applied, each with its reason."""
    if letters:
        db.execute(insert(parked), list(letters))


def held_keys(db: Connection) -> set[str]:
    """Return the keys that have a parked record: later records of theirs wait too."""
    return set(db.scalars(select(parked.c.key).distinct()))


def letters(db: Connection, key: str | None = None) -> Sequence[Any]:
    """Return the parked records in order, all or one key's."""
    query = select(parked).order_by(parked.c.part, parked.c.off)
    return db.execute(query if key is None else query.filter_by(key=key)).all()


def unpark(db: Connection, partition: int, offset: int) -> None:
    """Forget one parked record."""
    db.execute(delete(parked).filter_by(part=partition, off=offset))
