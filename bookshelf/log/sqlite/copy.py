"""Copies of the embedded log's file: taken while a process writes it, checked before they are used."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgspec

from bookshelf.log.port import LogFault


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
