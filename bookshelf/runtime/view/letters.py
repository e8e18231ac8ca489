"""Dead letters of a view: look at them, or apply them again."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from bookshelf.cqrs.position import Position
from bookshelf.log.port import Record
from bookshelf.runtime.view.apply import Batch
from bookshelf.runtime.view.rows import Rows
from bookshelf.storage import ledger


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be applied, or that waits behind one. `value` is the record's text."""

    view: str
    position: str
    key: str
    reason: str
    behind: bool
    value: str


async def listed(rows: Rows) -> list[DeadLetter]:
    """Return the dead letters in the order of the log."""
    return [_shown(rows, row) for row in await rows.tables.read(ledger.letters)]


async def count(rows: Rows) -> int:
    """Return how many dead letters there are."""
    found: int = await rows.tables.read(ledger.count_letters)
    return found


def _shown(rows: Rows, row: Any) -> DeadLetter:  # noqa: ANN401 (a row of the ledger)
    position = str(Position(rows.view.topic, row.part, row.off))
    return DeadLetter(
        rows.view.name, position, row.key, row.reason, row.behind, row.value.decode(errors="replace")
    )


async def retry(rows: Rows, key: str | None = None) -> int:
    """Apply the dead letters again, of all keys or of one; return how many went in."""

    def work(db: Connection) -> int:
        ledger.edit(db)
        waiting = ledger.letters(db, key)
        _forget(db, waiting)
        parked = Batch(db, rows.view).apply([_record(rows, row) for row in waiting])
        return len(waiting) - parked

    applied = await rows.tables.write(work)
    await rows.refresh()
    return applied


async def key_at(rows: Rows, position: Position) -> str | None:
    """Return the key of the dead letter at a position; None if there is none."""
    if position.topic != rows.view.topic:
        return None
    place = (position.partition, position.offset)
    return next(
        (row.key for row in await rows.tables.read(ledger.letters) if (row.part, row.off) == place), None
    )


def _forget(db: Connection, rows: Any) -> None:  # noqa: ANN401 (rows of the ledger)
    for row in rows:
        ledger.unpark(db, row.part, row.off)


def _record(rows: Rows, row: Any) -> Record:  # noqa: ANN401 (a row of the ledger)
    return Record(rows.view.topic, row.part, row.off, row.key, row.value)
