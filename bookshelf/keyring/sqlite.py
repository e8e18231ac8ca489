"""The table of keys in a SQLite file beside the log.

Destroyed means: overwritten with zeros in the file (`secure_delete`), and no longer in its write-ahead log.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

from bookshelf.keyring.port import KeyringFault, StoredKey

T = TypeVar("T")
_TABLE = """
CREATE TABLE IF NOT EXISTS key (
    id TEXT PRIMARY KEY, wrapped BLOB, created TEXT NOT NULL, expires TEXT
) WITHOUT ROWID
"""
_ADD = "INSERT INTO key VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_GET = "SELECT id, wrapped, created, expires FROM key WHERE id = ?"
_CLEAR = "INSERT INTO key VALUES (?, NULL, ?, NULL) ON CONFLICT DO UPDATE SET wrapped = NULL"
_CLEAR_EXPIRED = "UPDATE key SET wrapped = NULL WHERE wrapped IS NOT NULL AND expires <= ?"

_IDS = """
SELECT id FROM key
WHERE wrapped IS NOT NULL AND (expires IS NULL OR expires > ?) AND substr(id, 1, ?) = ? ORDER BY id
"""


class SqliteKeyTable:
    """Keeps the rows in one file, readable by its user only, and works in one thread."""

    def __init__(self, path: Path, wait_s: float = 5.0) -> None:
        self._path = path
        self._wait_s = wait_s
        #: True while keys that were destroyed may be in the write-ahead log: at first, those of a crash.
        self._unsettled = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keyring")
        self._connection: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, path: Path, wait_s: float = 5.0) -> Self:
        """Open the file, which is created if it is missing. Raises `KeyringFault`.

        `wait_s`: seconds to wait for another process that reads or writes it.
        """
        table = cls(path, wait_s)
        try:
            await table._run(table._connect)
        except BaseException:
            await table.close()
            raise
        return table

    def _connect(self) -> None:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=self._wait_s
        )
        for statement in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._connection.execute(f"PRAGMA {statement}")
        self._connection.execute(_TABLE)

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except (sqlite3.Error, OSError) as fault:
            msg = f"the keyring {self._path} cannot be used ({fault}); restore it from a backup"
            raise KeyringFault(msg) from fault

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None  # noqa: S101 (`open` has made it)
        return self._connection

    async def add(self, key: StoredKey) -> StoredKey:
        """Insert a row unless its id is there already; return the row that is there then."""
        await self._run(
            self._open.execute, _ADD, (key.id, key.wrapped, _text(key.created), _text(key.expires))
        )
        return await self.get(key.id) or key

    async def get(self, key_id: str) -> StoredKey | None:
        """Return the row with an id; None if there is none."""
        row = await self._run(lambda: self._open.execute(_GET, (key_id,)).fetchone())
        if row is None:
            return None
        expires = None if row[3] is None else datetime.fromisoformat(row[3])
        return StoredKey(row[0], row[1], datetime.fromisoformat(row[2]), expires)

    async def clear(self, key_ids: Iterable[str], now: datetime) -> None:
        """Remove the wrapped keys of these ids, and insert rows without a key for ids that are not there."""
        await self._run(self._clear, _CLEAR, [(key_id, _text(now)) for key_id in key_ids])

    async def clear_expired(self, now: datetime) -> None:
        """Remove the wrapped keys whose time `expires` has come."""
        await self._run(self._clear, _CLEAR_EXPIRED, [(_text(now),)])

    def _clear(self, statement: str, values: list[tuple[str | None, ...]]) -> None:
        """Run a statement that destroys keys; if it has, empty the write-ahead log, which has them too."""
        connection, before = self._open, self._open.total_changes
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(statement, values)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self._unsettled |= connection.total_changes != before
        if self._unsettled:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                msg = "another process reads it, so that a destroyed key is still in its -wal file"
                raise sqlite3.OperationalError(msg)
            self._unsettled = False

    async def cleared(self) -> frozenset[str]:
        """Return the ids of the rows without a wrapped key."""
        query = "SELECT id FROM key WHERE wrapped IS NULL"
        return frozenset(row[0] for row in await self._run(lambda: self._open.execute(query).fetchall()))

    async def ids(self, prefix: str, now: datetime) -> list[str]:
        """Return the ids that begin with a prefix and have a wrapped key that is not expired, in order."""
        values = (_text(now), len(prefix), prefix)
        rows = await self._run(lambda: self._open.execute(_IDS, values).fetchall())
        return [row[0] for row in rows]

    async def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        await asyncio.to_thread(self._thread.shutdown)


def _text(time: datetime | None) -> str | None:
    """Return a time as a text that sorts by time."""
    return None if time is None else time.isoformat(timespec="microseconds")
