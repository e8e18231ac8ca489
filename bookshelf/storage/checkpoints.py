"""The tables of every table set beside the view's own: checkpoints, dead letters, and the rows' origin."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    column,
    delete,
    exists,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy import values as literal_rows
from sqlalchemy.exc import IntegrityError

from bookshelf.storage.port import TableSetStatus
from bookshelf.storage.statements import BYTES, TEXT

LEDGER = MetaData()

checkpoint = Table(
    "bookshelf_checkpoint",
    LEDGER,
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("off", BigInteger, nullable=False),
    #: Identifies the last record before `off` (log/deduplicated.py); empty if it is not known.
    Column("mark", TEXT, nullable=False, server_default=""),
)

#: Dead letters: records that could not be applied (`reason`), and later ones of the same key (`behind`).
dead_letters = Table(
    "bookshelf_parked",
    LEDGER,
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("off", BigInteger, primary_key=True, autoincrement=False),
    Column("key", TEXT, nullable=False),
    Column("value", BYTES, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("behind", Boolean, nullable=False),
)

#: A key's records in their order.
Index("bookshelf_parked_of", dead_letters.c.key, dead_letters.c.part, dead_letters.c.off)

about = Table(
    "bookshelf_about",
    LEDGER,
    Column("name", TEXT, primary_key=True),
    Column("value", TEXT, nullable=False),
)

_EDITS = "edits"
_ERASURE = "erasure"
#: The partition number of the row of `look` that counts operators' edits.
_NO_PARTITION = -1
_count = cast(about.c.value, BigInteger)
#: The statements whose rows together are the status of a set.
LOOK = (
    select(checkpoint.c.part, checkpoint.c.off, checkpoint.c.mark),
    select(literal(_NO_PARTITION), _count, literal("")).where(about.c.name == _EDITS),
)
_MOVE = (
    update(checkpoint)
    .where(checkpoint.c.part == bindparam("of"), checkpoint.c.off == bindparam("old"))
    .values(off=bindparam("new"), mark=bindparam("last"))
)
_ANY_DEAD_LETTER = select(dead_letters.c.part).limit(1)
_edited = update(about).where(about.c.name == _EDITS).values(value=cast(_count + 1, Text))


class Superseded(Exception):
    """Another process has moved the checkpoint: it has applied these records, or has the partition now."""


def begin(db: Connection, **note: str) -> None:
    """Create these tables in a new set, and note the log and the version that its rows derive from."""
    LEDGER.create_all(db, checkfirst=False)
    notes = {**note, _EDITS: "0"}
    db.execute(insert(about), [{"name": name, "value": value} for name, value in notes.items()])


def descends(db: Connection, **note: str) -> bool:
    """Return True if the set was created with this note."""
    notes = {row.name: row.value for row in db.execute(select(about))}
    notes.pop(_ERASURE, None)
    return notes.pop(_EDITS, None) is not None and notes == note


def erasure(db: Connection) -> str | None:
    """Return the mark of the keys that were destroyed before the rows were made; None without rows."""
    if db.scalar(select(func.count()).select_from(checkpoint)) == 0:
        return None
    return db.scalar(select(about.c.value).where(about.c.name == _ERASURE)) or ""


def note_erasure(db: Connection, mark: str) -> None:
    """Note the mark of the keys that were destroyed before the first rows are made."""
    db.execute(delete(about).where(about.c.name == _ERASURE))
    db.execute(insert(about), {"name": _ERASURE, "value": mark})


def look(db: Connection) -> TableSetStatus:
    """Return the status of the set."""
    return seen({row.part: (row.off, row.mark) for row in db.execute(union_all(*LOOK))})


def seen(found: dict[int, tuple[int, str]], *, former: bool = False) -> TableSetStatus:
    """Return the status that the rows of `LOOK` describe."""
    edits, _ = found.pop(_NO_PARTITION, (0, ""))
    applied = {part: offset for part, (offset, _) in found.items()}
    return TableSetStatus(applied, edits, former, {part: mark for part, (_, mark) in found.items() if mark})


def checkpoints(db: Connection) -> dict[int, int]:
    """Return the offset that is applied next, by partition."""
    return {row.part: row.off for row in db.execute(select(checkpoint))}


def move(db: Connection, partition: int, old: int, new: int, mark: str = "") -> None:
    """Move a checkpoint from `old` to `new`, if it is still at `old`. Raises `Superseded`.

    `mark` identifies the last record before `new`.
    """
    if old == 0 and _first(db, partition, new, mark):
        return
    moved = db.execute(_MOVE, {"of": partition, "old": old, "new": new, "last": mark})
    if moved.rowcount != 1:
        msg = f"the checkpoint of partition {partition} is no longer at {old}"
        raise Superseded(msg)


def fill(db: Connection, partition: int, offset: int, mark: str) -> None:
    """Note the mark of a checkpoint that an earlier release made without one."""
    db.execute(update(checkpoint).filter_by(part=partition, off=offset, mark="").values(mark=mark))


def upgrade(db: Connection, schema: str | None = None) -> None:
    """Add the column that checkpoints of an earlier release lack."""
    columns = {column["name"] for column in inspect(db).get_columns(checkpoint.name, schema)}
    if checkpoint.c.mark.name not in columns:
        name = checkpoint.name if schema is None else f"{schema}.{checkpoint.name}"
        kind = checkpoint.c.mark.type.compile(db.dialect)
        db.execute(text(f"ALTER TABLE {name} ADD COLUMN mark {kind} NOT NULL DEFAULT ''"))


def _first(db: Connection, partition: int, new: int, mark: str) -> bool:
    if db.execute(select(checkpoint.c.off).filter_by(part=partition)).first():
        return False
    try:
        with db.begin_nested():
            db.execute(insert(checkpoint), {"part": partition, "off": new, "mark": mark})
    except IntegrityError:  # another process has inserted it in the meantime
        return False
    return True


def edit(db: Connection) -> None:
    """Begin an operator's change: lock the checkpoints until its end, and count it in the set's status."""
    db.execute(select(checkpoint.c.part).order_by(checkpoint.c.part).with_for_update())
    db.execute(_edited)


def add_dead_letters(db: Connection, records: Sequence[dict[str, Any]]) -> None:
    """Store dead letters: records that cannot be applied, each with its reason."""
    if records:
        db.execute(insert(dead_letters), list(records))


def held_keys(db: Connection, keys: Collection[str]) -> set[str]:
    """Return the keys that have a dead letter, so that their later records are held back.

    The cost is a look-up for each key, however many dead letters there are.
    """
    if not keys or db.execute(_ANY_DEAD_LETTER).first() is None:
        return set()
    asked = literal_rows(column("key", TEXT), name="asked").data([(key,) for key in keys]).cte("asked")
    return set(db.scalars(select(asked.c.key).where(exists().where(dead_letters.c.key == asked.c.key))))


def read_dead_letters(db: Connection, key: str | None = None, most: int | None = None) -> Sequence[Any]:
    """Return the dead letters in order: of all keys or of one, and up to `most` of them if that is given."""
    query = select(dead_letters).order_by(dead_letters.c.part, dead_letters.c.off).limit(most)
    return db.execute(query if key is None else query.filter_by(key=key)).all()


def count_dead_letters(db: Connection) -> int:
    """Return the number of dead letters."""
    return db.scalar(select(func.count()).select_from(dead_letters)) or 0


def dead_letter_at(db: Connection, partition: int, offset: int) -> Any:  # noqa: ANN401 (a row, or None)
    """Return the dead letter of a partition and offset; None if there is none."""
    return db.execute(select(dead_letters).filter_by(part=partition, off=offset)).first()


def next_key(db: Connection, after: str) -> str | None:
    """Return the first key after this one that has a dead letter; None if there is none."""
    key: str | None = db.scalar(select(func.min(dead_letters.c.key)).where(dead_letters.c.key > after))
    return key


def set_reason(db: Connection, partition: int, offset: int, reason: str, *, behind: bool = False) -> None:
    """Change the reason of a dead letter."""
    place = update(dead_letters).filter_by(part=partition, off=offset)
    db.execute(place.values(reason=reason, behind=behind))


def remove_dead_letters(db: Connection, places: Sequence[tuple[int, int]]) -> None:
    """Delete the dead letters of these partitions and offsets."""
    if places:
        here = delete(dead_letters).where(
            dead_letters.c.part == bindparam("p"), dead_letters.c.off == bindparam("o")
        )
        db.execute(here, [{"p": partition, "o": offset} for partition, offset in places])
