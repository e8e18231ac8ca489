"""The SQLite file of the embedded log: how it is opened, checked, read, and copied while it is written."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import msgspec

from bookshelf.cqrs.envelope import ANSWERED, Envelope, encode_envelope
from bookshelf.log.in_process import bounded
from bookshelf.log.port import LogFault, LogFull, Record

#: Files up to this size are checked whole when they are opened: 64 MiB take about 0.1 s.
_CHECKED = 64 << 20

#: A record that every reader skips: an answered command of no service.
_RESTORED = encode_envelope(
    Envelope(
        specversion="1.0",
        id="restored",
        source="restore",
        type=ANSWERED,
        subject="restored",
        time=datetime(1970, 1, 1, tzinfo=UTC),
        datacontenttype="application/json",
        data=msgspec.Raw(b"{}"),
        actor="operator",
    )
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
    topic TEXT NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL,
    key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (topic, part, off)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consumed (
    name TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL,
    PRIMARY KEY (name, topic, part)
) WITHOUT ROWID;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for its one writer: WAL, and an fsync for every commit."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # a checkpoint needs two more fsyncs, for which all appends of that commit wait: after 16 MiB, not 4
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading beside the writer."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(path: Path, partitions: int) -> tuple[str, int]:
    """Create or check the file; return the log's identity and its number of partitions.

    Raises `LogFull` if it cannot be written and `LogFault` if it is damaged; it is never repaired here.
    """
    try:
        connection = connect(path)
        try:
            _check(connection, path)
            return _about(connection, partitions)
        finally:
            connection.close()
    except sqlite3.OperationalError as fault:
        msg = f"{path} cannot be written ({fault}); make its folder writable, or free space on its disk"
        raise LogFull(msg) from fault
    except sqlite3.DatabaseError as fault:
        raise LogFault(_damaged(path, fault)) from fault


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size <= _CHECKED:
        (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if result != "ok":
            raise LogFault(_damaged(path, result))
    connection.executescript(_SCHEMA)


def _damaged(path: Path, what: object) -> str:
    return (
        f"{path} is damaged ({what}); nothing was changed: copy it away, then restore it from a backup "
        f"or recover it with `sqlite3 {path.name} .recover`"
    )


def _about(connection: sqlite3.Connection, partitions: int) -> tuple[str, int]:
    connection.execute("BEGIN IMMEDIATE")
    insert = "INSERT OR IGNORE INTO about VALUES (?, ?)"
    connection.executemany(insert, [("identity", uuid4().hex), ("partitions", str(partitions))])
    about = dict(connection.execute("SELECT name, value FROM about"))
    # a write that must reach the disk, so that a full or read-only disk is detected at the start
    connection.execute("INSERT OR REPLACE INTO about VALUES ('opened', datetime('now'))")
    connection.execute("COMMIT")
    return about["identity"], int(about["partitions"])


def ends(connection: sqlite3.Connection) -> dict[tuple[str, int], int]:
    """Return the offset after the last record, by topic and partition; a look-up each, never a scan."""
    query = (
        "SELECT topic, part, off FROM record WHERE (topic, part) < (?, ?) "
        "ORDER BY topic DESC, part DESC, off DESC LIMIT 1"
    )
    offsets: dict[tuple[str, int], int] = {}
    place: tuple[str, int] = ("\U0010ffff", 0)
    while row := connection.execute(query, place).fetchone():
        place = (row[0], row[1])
        offsets[place] = row[2] + 1
    return offsets


def consumed(connection: sqlite3.Connection) -> dict[tuple[str, str, int], int]:
    """Return the offset that is read next, by writer's name, topic and partition."""
    rows = connection.execute("SELECT name, topic, part, off FROM consumed")
    return {(name, topic, part): off for name, topic, part, off in rows}


def read(connection: sqlite3.Connection, topic: str, part: int, offset: int, most: int) -> list[Record]:
    """Return up to `most` records, and not many more than `READ_BYTES`, in order. Raises `LogFault`."""
    columns = "SELECT topic, part, off, key, value FROM record"
    query = f"{columns} WHERE topic = ? AND part = ? AND off >= ? ORDER BY off LIMIT ?"
    try:
        with closing(connection.execute(query, (topic, part, offset, most))) as rows:
            return bounded(Record(*row) for row in rows)
    except sqlite3.Error as fault:
        msg = f"the log cannot be read from {topic}/{part}@{offset}: {fault}; restore it from a backup"
        raise LogFault(msg) from fault


def raise_ends(path: Path, topic: str, former: Path, margin: int) -> None:
    """Let the next records of a topic in a log, which no process writes, have higher offsets than any before.

    They are above those of the log `former` that this one replaces, if it can be read, and at least `margin`
    above those of this log, whose newer records may be lost. One record without meaning is appended to each
    partition of the topic that has records. Raises `LogFault`.
    """
    above = _ends_of(former, topic) if former.is_file() else {}
    try:
        with closing(sqlite3.connect(path)) as log:
            found = {part: end for (name, part), end in ends(log).items() if name == topic}
            for part in sorted(found.keys() | above.keys()):
                end = max(above.get(part, 0), found.get(part, 0) + margin)
                log.execute(
                    "INSERT INTO record VALUES (?, ?, ?, ?, ?)", (topic, part, end, "restored", _RESTORED)
                )
            log.commit()
    except sqlite3.Error as fault:
        raise LogFault(_unreadable(path, fault)) from fault


def _ends_of(path: Path, topic: str) -> dict[int, int]:
    """Return the ends of a topic's partitions; none if the log cannot be read."""
    try:
        with closing(_open_read_only(path)) as log:
            return {part: end for (name, part), end in ends(log).items() if name == topic}
    except sqlite3.Error:
        return {}


class LogContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a log's file contains: `records` counts by topic."""

    identity: str
    partitions: int
    records: dict[str, int]


def copy_log(source: Path, target: Path) -> None:
    """Copy the log in `source`, as of one moment, to the new file `target`; a process may write it meanwhile.

    The copy has no `-wal` file. Raises `LogFault`. The caller flushes `target` to the disk.
    """
    try:
        with closing(_open_read_only(source)) as log, closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            log.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as fault:
        hint = "see whether it is a log, and whether the disk is full"
        msg = f"{source} cannot be copied to {target} ({fault}); {hint}"
        raise LogFault(msg) from fault


def settle_log(path: Path) -> None:
    """Take the records of a `-wal` file beside the log into the log's file. Raises `LogFault`."""
    try:
        with closing(sqlite3.connect(path)) as log:
            log.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as fault:
        raise LogFault(_unreadable(path, fault)) from fault


def inspect_log(path: Path) -> LogContent:
    """Check the whole file, which no process writes, and return what it contains. Raises `LogFault`."""
    try:
        with closing(_open_read_only(path, "&immutable=1")) as log:
            (result,) = log.execute("PRAGMA integrity_check(1)").fetchone()
            if result != "ok":
                raise LogFault(_unreadable(path, result))
            about = dict(log.execute("SELECT name, value FROM about"))
            counts = log.execute("SELECT topic, count(*) FROM record GROUP BY topic ORDER BY topic")
            return LogContent(
                identity=about["identity"], partitions=int(about["partitions"]), records=dict(counts)
            )
    except (sqlite3.Error, KeyError, ValueError) as fault:
        raise LogFault(_unreadable(path, fault)) from fault


def _open_read_only(path: Path, more: str = "") -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro{more}", uri=True, timeout=5)


def _unreadable(path: Path, reason: object) -> str:
    return f"{path} is damaged, or is no log ({reason})"
