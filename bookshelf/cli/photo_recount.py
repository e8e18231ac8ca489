"""Recounts votes, comments and deletions of photos from a log and rows that may be in use."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, select

from bookshelf.cli.instance import shared_storage
from bookshelf.log.port import ReadOnlyLog
from bookshelf.photos.events import TOPIC
from bookshelf.photos.recount import PhotoRecount
from bookshelf.photos.timelines.tables import LIVE, photos
from bookshelf.storage.checkpoints import checkpoint
from bookshelf.storage.port import StorageFault

_BATCH = 1000
_ROWS = "SELECT id, up, down, comments FROM timeline_photo WHERE state = 0"


class TimelineRows(NamedTuple):
    """The counts of the live photos, and how far the view has read each partition: both of one moment."""

    ends: Mapping[int, int]
    counts: list[tuple[str, int, int, int]]


def read_timeline_rows(folder: Path) -> TimelineRows | None:
    """Return the rows of the timelines that a data folder has; None without any. Raises `StorageFault`."""
    pointer = folder / "views" / "timelines" / "live"
    if not pointer.is_file():
        return None
    file = pointer.with_name(pointer.read_text(encoding="utf-8").strip())
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=5)) as db:
            db.execute("BEGIN")  # one snapshot
            ends = dict(db.execute("SELECT part, off FROM bookshelf_checkpoint").fetchall())
            return TimelineRows(ends, db.execute(_ROWS).fetchall())
    except sqlite3.Error as fault:  # also if a rebuild has replaced the file since
        msg = f"the rows of timelines cannot be read ({fault}); try again"
        raise StorageFault(msg) from fault


async def read_shared_rows(storage: str) -> TimelineRows | None:
    """Return the rows of the timelines in a database; None if it has none. Raises `StorageFault`."""

    def read(db: Connection) -> TimelineRows:
        ends = db.execute(select(checkpoint.c.part, checkpoint.c.off)).all()
        counts = (photos.c.id, photos.c.up, photos.c.down, photos.c.comments)
        rows = db.execute(select(*counts).where(photos.c.state == LIVE)).all()
        return TimelineRows({row.part: row.off for row in ends}, [tuple(row) for row in rows])

    return await shared_storage(storage).look_at(storage, "timelines", TOPIC, read)


async def recount_photos(log: ReadOnlyLog, ends: Mapping[int, int] | None = None) -> PhotoRecount:
    """Count the records of photos before these ends, by default all. Raises `LogFault`."""
    if ends is None:
        ends = {partition: await log.end(TOPIC, partition) for partition in range(log.partitions(TOPIC))}
    recount = PhotoRecount()
    for partition, end in sorted(ends.items()):
        end = min(end, await log.end(TOPIC, partition))  # noqa: PLW2901 (rows may be of a longer log)
        tail = await log.tail(TOPIC, partition, min(end, await log.start(TOPIC, partition)))
        while tail.position < end:
            for record in await tail.take(_BATCH):
                if record.offset < end:
                    recount.add(record.key, record.value)
        await tail.close()
    return recount


async def violations_of(log: ReadOnlyLog, rows: TimelineRows | None) -> list[str]:
    """Return what does not hold of the counts in the log, and in the rows. Raises `LogFault`."""
    recount = await recount_photos(log)
    found = [*recount.violations, *recount.deletions_incomplete()]
    if rows is not None:
        found += (await recount_photos(log, rows.ends)).compared(rows.counts)
    return found
