"""Reads the log and the rows of a shop in a data folder that may be in use; it changes neither."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from bookshelf.log.port import ReadOnlyLog
from bookshelf.shop.check.ledger import Ledger
from bookshelf.shop.check.rows import TABLES
from bookshelf.storage.port import StorageFault

_TOPIC = "shop"
_BATCH = 1000
Ends = Mapping[int, int]


class ViewRows(NamedTuple):
    """The rows of a view by table, and how far it has read each partition: both of one moment."""

    name: str
    ends: Ends
    tables: Mapping[str, Sequence[Mapping[str, Any]]]


async def read_ledger(log: ReadOnlyLog, ends: Ends) -> Ledger:
    """Count the records of the shop before these ends. Raises `LogFault`."""
    ledger = Ledger()
    for partition, end in sorted(ends.items()):
        offset = min(end, await log.start(_TOPIC, partition))
        tail = await log.tail(_TOPIC, partition, offset)
        while tail.position < end:
            for record in await tail.take(_BATCH):
                if record.offset < end:
                    ledger.add(partition, record.offset, record.key, record.value)
        await tail.close()
    return ledger


async def ends_of(log: ReadOnlyLog) -> Ends:
    """Return the end of each partition of the shop's topic. Raises `LogFault`."""
    return {partition: await log.end(_TOPIC, partition) for partition in range(log.partitions(_TOPIC))}


def read_views(folder: Path) -> Iterator[ViewRows]:
    """Yield the rows of each view of the shop that a data folder has. Raises `StorageFault`."""
    for name, tables in TABLES.items():
        pointer = folder / "views" / name / "live"
        if not pointer.is_file():
            continue
        file = pointer.with_name(pointer.read_text(encoding="utf-8").strip())
        try:
            with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=5)) as db:
                yield _read_view(name, tables, db)
        except sqlite3.Error as fault:  # also if a rebuild has replaced the file since
            msg = f"the rows of {name} cannot be read ({fault}); try again"
            raise StorageFault(msg) from fault


def _read_view(name: str, tables: Sequence[str], db: sqlite3.Connection) -> ViewRows:
    db.row_factory = sqlite3.Row
    db.execute("BEGIN")  # one snapshot
    ends = {row["part"]: row["off"] for row in db.execute("SELECT part, off FROM bookshelf_checkpoint")}
    queries = {table: f"SELECT * FROM {table}" for table in tables}  # noqa: S608 (names of our own)
    return ViewRows(name, ends, {table: list(map(dict, db.execute(text))) for table, text in queries.items()})
