"""The log of a shelf, as the file that it is: read beside the program, written while it is stopped."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bookshelf.cqrs.envelope import Envelope, decode_envelope
from bookshelf.shelf.events import TOPIC


class Line(NamedTuple):
    """One record of the log."""

    offset: int
    key: str
    value: bytes

    @property
    def envelope(self) -> Envelope:
        """The event in its envelope. Raises `Malformed`."""
        return decode_envelope(self.value)


def read_log(data: Path, topic: str = TOPIC) -> list[Line]:
    """Return every record of a topic, in order."""
    with closing(sqlite3.connect(f"file:{data / 'log.sqlite'}?mode=ro", uri=True)) as log:
        rows = log.execute("SELECT off, key, value FROM record WHERE topic = ? ORDER BY part, off", (topic,))
        return [Line(*row) for row in rows]


def end_of_log(data: Path) -> int:
    """Return the offset that the next record gets."""
    with closing(sqlite3.connect(f"file:{data / 'log.sqlite'}?mode=ro", uri=True)) as log:
        [last] = log.execute("SELECT max(off) FROM record WHERE topic = ?", (TOPIC,)).fetchone()
    return 0 if last is None else int(last) + 1


def append(data: Path, key: str, value: bytes, topic: str = TOPIC) -> str:
    """Put one record at the end, whatever is in it; return its position."""
    with closing(sqlite3.connect(data / "log.sqlite")) as log, log:
        [offset] = log.execute("SELECT count(*) FROM record WHERE topic = ?", (topic,)).fetchone()
        log.execute("INSERT INTO record VALUES (?, 0, ?, ?, ?)", (topic, offset, key, value))
    return f"{topic}/0@{offset}"


def event(kind: str, subject: str, data: Mapping[str, Any]) -> bytes:
    """Return an event in a valid envelope; its data may be anything."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": "by-hand",
            "source": "test",
            "type": kind,
            "subject": subject,
            "time": "2024-01-01T00:00:00Z",
            "datacontenttype": "application/json",
            "data": data,
            "actor": "reader",
        }
    )
