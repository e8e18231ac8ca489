"""A SQLite file of what can be made again from the log: a damaged one is deleted, and begins empty."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_ABOUT = "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"


class Unsaved(Exception):
    """The disk refused the write; what was saved before is unchanged, and a later write may succeed."""


class DisposableFile(Generic[T]):
    """One file, made from one source, as of one offset. Blocks: call it in a thread.

    `schema` has the tables beside `about`, and `pragmas` the settings of each connection, like
    `synchronous = NORMAL`.
    """

    def __init__(self, path: Path, schema: str, pragmas: Sequence[str]) -> None:
        self._path = path
        self._schema = _ABOUT + schema
        self._pragmas = pragmas
        self._source = ""
        self._db: sqlite3.Connection

    def open(self, source: str) -> T:
        """Open the file; begin with an empty one if it is damaged or belongs to another source."""
        self._source = source
        try:
            return self._open(source)
        except (sqlite3.DatabaseError, ValueError):
            self._discard()
            return self._open(source)

    def _open(self, source: str) -> T:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in self._pragmas:
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(self._schema)
        about = dict(self._db.execute("SELECT name, value FROM about"))
        if about.setdefault("source", source) != source:
            msg = "this file belongs to another source"
            raise ValueError(msg)
        self._db.execute("INSERT OR REPLACE INTO about VALUES ('source', ?)", (source,))
        return self._begin(int(about.get("offset", "0")), about)

    def _begin(self, offset: int, about: Mapping[str, str]) -> T:
        """Return what `open` answers of a file as of this offset. `about`: what else is known of it."""
        raise NotImplementedError

    def _discard(self) -> None:
        with contextlib.suppress(AttributeError):
            self._db.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    @contextmanager
    def _transaction(self, offset: int, mark: str) -> Iterator[None]:
        """Save what the block writes, and the offset that the file is as of then, all or none.

        `mark`: that of the record before the offset. Raises `Unsaved` if the disk refuses the write.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            about = [("offset", str(offset)), ("mark", mark)]
            self._db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about)
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as fault:
            self._take_back()
            raise Unsaved(str(fault)) from fault
        except BaseException:
            self._take_back()
            raise

    def _take_back(self) -> None:
        if self._db.in_transaction:  # SQLite itself has ended it if the disk is full
            self._db.execute("ROLLBACK")

    def reset(self) -> None:
        """Delete the file and begin with an empty one."""
        self._discard()
        self._open(self._source)

    def close(self) -> None:
        """Close the file, if it was opened."""
        with contextlib.suppress(AttributeError):
            self._db.close()
