"""The dead letters of a view: lists them, and applies them again."""

from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from bookshelf.cqrs.position import Position
from bookshelf.cqrs.view import View
from bookshelf.runtime.sealing import Opener
from bookshelf.runtime.view.apply import Batch
from bookshelf.runtime.view.generation import Generation
from bookshelf.storage import checkpoints


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that could not be applied, or that is held back (`behind`). `value` is the record's text."""

    view: str
    position: str
    key: str
    reason: str
    behind: bool
    value: str


async def listed(rows: Generation) -> list[DeadLetter]:
    """Return the dead letters in the order of the log."""
    return [_shown(rows, row) for row in await rows.tables.read(checkpoints.read_dead_letters)]


async def count(rows: Generation) -> int:
    """Return how many dead letters there are."""
    number: int = await rows.tables.read(checkpoints.count_dead_letters)
    return number


def _shown(rows: Generation, row: Any) -> DeadLetter:  # noqa: ANN401 (a row of the table of dead letters)
    position = str(Position(rows.view.topic, row.part, row.off))
    return DeadLetter(
        rows.view.name, position, row.key, row.reason, row.behind, row.value.decode(errors="replace")
    )


async def retry(rows: Generation, key: str | None = None) -> int:
    """Apply the dead letters of one key, or of all keys, again; return how many were applied."""
    applied, key_now = 0, key if key is not None else await _next_key(rows, "")
    while key_now is not None:
        letters = await rows.tables.read(partial(checkpoints.read_dead_letters, key=key_now))
        opener = await rows.opener([letter.value for letter in letters])
        applied += await rows.tables.write(partial(_retry, rows.view, key_now, opener))
        key_now = None if key is not None else await _next_key(rows, key_now)
    await rows.refresh()
    return applied


def _retry(view: View, key: str, opener: Opener | None, db: Connection) -> int:
    checkpoints.edit(db)
    return Batch(db, view, opener).resume(view.topic, key)


async def _next_key(rows: Generation, after: str) -> str | None:
    return await rows.tables.read(lambda db: checkpoints.next_key(db, after))


async def find(rows: Generation, position: Position) -> DeadLetter | None:
    """Return the dead letter at a position; None if there is none."""
    if position.topic != rows.view.topic:
        return None
    row = await rows.tables.read(
        lambda db: checkpoints.dead_letter_at(db, position.partition, position.offset)
    )
    return None if row is None else _shown(rows, row)
