"""The data folder of photos: it gets events while nothing runs, and is checked after faults."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec
from support.counter_context import said
from support.process import bookshelf

from bookshelf.cli.photo_recount import read_timeline_rows
from bookshelf.cqrs.message import Event
from bookshelf.log.sqlite.database import prepare
from bookshelf.photos.events import COMMENT_EVENTS, PHOTO_EVENTS, TOPIC, VOTE_EVENTS
from bookshelf.storage.port import StorageFault

_SOURCES = {
    kind: source
    for source, kinds in (("photo", PHOTO_EVENTS), ("vote", VOTE_EVENTS), ("comment", COMMENT_EVENTS))
    for kind in kinds
}


class PhotoFolder:
    """A folder with a log of one partition. Its photos have no images."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        prepare(data / "log.sqlite", 1)

    def add(self, events: Iterable[tuple[str, Event]]) -> None:
        """Append events to the topic, while nothing runs."""
        start = self.size()
        with closing(sqlite3.connect(self.data / "log.sqlite")) as log, log:
            for offset, (key, event) in enumerate(events, start):
                content, source = msgspec.json.encode(event), _SOURCES[type(event)]
                record = said(event.TYPE, key, content, source=source, command=f"made-{offset}")
                row = (TOPIC, offset, key, record.value)
                log.execute("INSERT INTO record VALUES (?, 0, ?, ?, ?)", row)

    def size(self) -> int:
        """Return the number of records of the topic."""
        with closing(sqlite3.connect(f"file:{self.data / 'log.sqlite'}?mode=ro", uri=True)) as log:
            [end] = log.execute("SELECT max(off) FROM record WHERE topic = ?", (TOPIC,)).fetchone()
            return 0 if end is None else int(end) + 1

    def records(self) -> int:
        """Return the number of records of all topics: also commands are progress."""
        with closing(sqlite3.connect(f"file:{self.data / 'log.sqlite'}?mode=ro", uri=True)) as log:
            [count] = log.execute("SELECT count(*) FROM record").fetchone()
            return int(count)

    def applied(self) -> int:
        """Return how many records the timelines have applied."""
        try:
            rows = read_timeline_rows(self.data)
        except StorageFault:  # they are being made
            return 0
        return 0 if rows is None else rows.ends.get(0, 0)

    def violations(self) -> list[str]:
        """Return what does not hold of counts and deletions, beside images."""
        counts = json.loads(bookshelf("photos", "verify", "--data", self.data, "--json").out)["counts"]
        return [str(text) for text in counts]

    def deletions(self) -> list[str]:
        """Return the persons whose deletion is not complete."""
        left = json.loads(bookshelf("photos", "deletions", "--data", self.data, "--json").well)
        return [str(person["person"]) for person in left]
