"""Where an owner's state lies when it is not in memory: a disposable file, made again from the log."""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


class Store(Protocol):
    """States by key, as of one offset. Blocks; the owner calls it in a thread."""

    def open(self, source: str) -> tuple[int, int]:
        """Return the offset to read on from, and how many keys are held; empty if of another source."""

    def load(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are held."""

    def save(self, values: Mapping[str, bytes], offset: int) -> None:
        """Keep the values, and that they are as of `offset`, all or nothing."""

    def reset(self) -> None:
        """Forget everything that was saved."""

    def close(self) -> None:
        """Let go; what was saved stays."""


class MemoryStore:
    """A store that is gone with the process."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._offset = 0

    def open(self, source: str) -> tuple[int, int]:  # noqa: ARG002 (the port's signature)
        """Return what was saved before in this process."""
        return self._offset, len(self._values)

    def load(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are held."""
        return {key: self._values[key] for key in keys if key in self._values}

    def save(self, values: Mapping[str, bytes], offset: int) -> None:
        """Keep the values."""
        self._values.update(values)
        self._offset = offset

    def reset(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._offset = 0

    def close(self) -> None:
        """Keep everything."""


class SqliteStore:
    """A store in one file. It is never fsynced: a damaged one is thrown away and made again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection

    def open(self, source: str) -> tuple[int, int]:
        """Open the file; begin again if it is damaged, or of another log or another release."""
        try:
            return self._open(source)
        except (sqlite3.DatabaseError, ValueError):
            self._discard()
            return self._open(source)

    def _open(self, source: str) -> tuple[int, int]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        about = dict(self._db.execute("SELECT name, value FROM about"))
        if about.setdefault("source", source) != source:
            msg = "this is the state of another log"
            raise ValueError(msg)
        self._db.execute("INSERT OR REPLACE INTO about VALUES ('source', ?)", (source,))
        offset = int(about.get("offset", "0"))
        (count,) = self._db.execute("SELECT count(*) FROM (SELECT 1 FROM held LIMIT 1)").fetchone()
        return offset, int(count)

    def _discard(self) -> None:
        with contextlib.suppress(AttributeError):
            self._db.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def load(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are held; a look-up each, in one snapshot."""
        found: dict[str, bytes] = {}
        self._db.execute("BEGIN")
        for key in keys:
            row = self._db.execute("SELECT value FROM held WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found[key] = row[0]
        self._db.execute("COMMIT")
        return found

    def save(self, values: Mapping[str, bytes], offset: int) -> None:
        """Keep the values and the offset in one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT OR REPLACE INTO held VALUES (?, ?)", sorted(values.items()))
            self._db.execute("INSERT OR REPLACE INTO about VALUES ('offset', ?)", (str(offset),))
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise

    def reset(self) -> None:
        """Forget everything."""
        self._db.executescript("BEGIN; DELETE FROM held; DELETE FROM about WHERE name = 'offset'; COMMIT;")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
