"""The state store of an owner: a disposable file of snapshots, which can be rebuilt from the log."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from bookshelf.log.port import Record
from bookshelf.runtime.aggregate.disposable_file import DisposableFile
from bookshelf.runtime.aggregate.later_records import large
from bookshelf.runtime.aggregate.snapshot import CompletedCommand
from bookshelf.storage.port import TableSetCorrupt

#: `held` has the snapshots and `due` the index: their names are from the first release. `held` has row ids:
#: in a tree ordered by keys, snapshots of 1 KB took five times as long to write, and three times the disk.
#: `later` has the records that follow large snapshots, in the order in which they are added, so that these
#: fill whole pages; those of a key that has no large snapshot do not count.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS later (off INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS later_key ON later (key, off);
CREATE TABLE IF NOT EXISTS due (key TEXT PRIMARY KEY, moment TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due_moment ON due (moment, key);
CREATE TABLE IF NOT EXISTS command (
  key TEXT NOT NULL, id TEXT NOT NULL, hash TEXT NOT NULL,
  version INT NOT NULL, off INT NOT NULL, at INT NOT NULL, change TEXT NOT NULL, PRIMARY KEY (key, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS command_at ON command (at);
"""
_RECALL = "SELECT id, hash, version, off, at, change FROM command WHERE key = ? AND id = ?"
_LOOK_UP = "SELECT key, value FROM held WHERE key = ?"
_LATER = "SELECT off, value FROM later WHERE key = ? ORDER BY off"
_KEYS = "SELECT key FROM held WHERE key > ? ORDER BY key LIMIT ?"
_FIRST = "SELECT key, moment FROM due ORDER BY moment, key LIMIT ?"

#: By key, an encoded snapshot, or the records that follow the stored one and those after it.
Values = Mapping[str, bytes | Sequence[Record]]
#: The text in the index by key; None for a key that has none.
IndexEntries = Mapping[str, str | None]
NO_ENTRIES: IndexEntries = MappingProxyType({})
#: The key of an aggregate, and the id of a completed command of it.
CommandKey = tuple[str, str]


class Spilled(NamedTuple):
    """Completed commands to store, and the time (ms since 1970) before which stored ones are deleted."""

    commands: Mapping[CommandKey, CompletedCommand]
    forget_before_ms: int


NO_COMMANDS = Spilled(MappingProxyType({}), 0)


def _damaged(fault: sqlite3.DatabaseError) -> TableSetCorrupt:
    return TableSetCorrupt(f"stored states cannot be read ({fault}); they are made again from the log")


class StateStore(Protocol):
    """Stores encoded snapshots by key, and an index, as of one offset. Blocks: call it in a thread."""

    #: Identifies the last record before that offset (log/deduplicated.py); empty if unknown.
    mark: str

    def open(self, source: str) -> tuple[int, int]:
        """Return the offset to read on from, and 0 if nothing is stored. Drops content of another source."""

    def load(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are stored. Raises `TableSetCorrupt`."""

    def later(self, keys: Iterable[str]) -> dict[str, list[Record]]:
        """Return the records that follow the stored large snapshots of keys. Raises `TableSetCorrupt`."""

    def keys(self, after: str, most: int) -> list[str]:
        """Return up to `most` stored keys after this one, in order. Raises `TableSetCorrupt`."""

    def first(self, most: int) -> dict[str, str]:
        """Return the first `most` keys of the index with their texts, in order. Raises `TableSetCorrupt`."""

    def save(
        self,
        values: Values,
        offset: int,
        entries: IndexEntries = NO_ENTRIES,
        mark: str = "",
        spilled: Spilled = NO_COMMANDS,
    ) -> None:
        """Save values, index entries, completed commands and the offset, all or none. Raises `Unsaved`.

        Records are added to those of their key, a snapshot replaces them.
        """

    def recall(self, commands: Iterable[CommandKey]) -> dict[CommandKey, CompletedCommand]:
        """Return those of the commands that are stored. Raises `TableSetCorrupt`."""

    def reset(self) -> None:
        """Delete everything that was saved."""

    def close(self) -> None:
        """Release the file; what was saved stays."""


class MemoryStateStore:
    """A state store in memory, which ends with the process."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._later: dict[str, list[Record]] = {}
        self._index: dict[str, str] = {}
        self._commands: dict[CommandKey, CompletedCommand] = {}
        self._offset = 0
        self.mark = ""

    def open(self, source: str) -> tuple[int, int]:  # noqa: ARG002 (the port's signature)
        """Return the offset and the number of keys that were saved before in this process."""
        return self._offset, len(self._values)

    def load(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are stored."""
        return {key: self._values[key] for key in keys if key in self._values}

    def later(self, keys: Iterable[str]) -> dict[str, list[Record]]:
        """Return the records that follow stored snapshots."""
        return {key: [*self._later[key]] for key in keys if key in self._later}

    def keys(self, after: str, most: int) -> list[str]:
        """Return the stored keys after this one."""
        return sorted(key for key in self._values if key > after)[:most]

    def first(self, most: int) -> dict[str, str]:
        """Return the first keys of the index."""
        return dict(sorted(self._index.items(), key=lambda entry: (entry[1], entry[0]))[:most])

    def save(
        self,
        values: Values,
        offset: int,
        entries: IndexEntries = NO_ENTRIES,
        mark: str = "",
        spilled: Spilled = NO_COMMANDS,
    ) -> None:
        """Save values, index entries, completed commands and the offset."""
        for key, value in values.items():
            if isinstance(value, bytes):
                self._values[key] = value
                self._later.pop(key, None)
            else:
                self._later.setdefault(key, []).extend(value)
        for key, text in entries.items():
            self._index.pop(key, None)
            if text is not None:
                self._index[key] = text
        kept = {**self._commands, **spilled.commands}
        self._commands = {k: done for k, done in kept.items() if done.at_ms >= spilled.forget_before_ms}
        self._offset, self.mark = offset, mark

    def recall(self, commands: Iterable[CommandKey]) -> dict[CommandKey, CompletedCommand]:
        """Return the stored ones of the commands."""
        return {key: self._commands[key] for key in commands if key in self._commands}

    def reset(self) -> None:
        """Delete everything that was saved."""
        self._values.clear()
        self._later.clear()
        self._index.clear()
        self._commands.clear()
        self._offset, self.mark = 0, ""

    def close(self) -> None:
        """Do nothing: what was saved stays."""


class SqliteStateStore(DisposableFile[tuple[int, int]]):
    """A state store in one SQLite file. It is never fsynced: a damaged file is deleted and rebuilt."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA, ("journal_mode = WAL", "synchronous = NORMAL"))
        self.mark = ""

    def _begin(self, offset: int, about: Mapping[str, str]) -> tuple[int, int]:
        self.mark = about.get("mark", "")
        (count,) = self._db.execute("SELECT count(*) FROM (SELECT 1 FROM held LIMIT 1)").fetchone()
        return offset, int(count)

    def load(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are stored: one look-up each, in one transaction."""
        try:
            self._db.execute("BEGIN")
            rows = [self._db.execute(_LOOK_UP, (key,)).fetchone() for key in keys]
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as fault:
            raise _damaged(fault) from fault
        return dict(row for row in rows if row is not None)

    def later(self, keys: Iterable[str]) -> dict[str, list[Record]]:
        """Return the records that follow stored snapshots: one look-up for each key."""
        try:
            rows = {key: self._db.execute(_LATER, (key,)).fetchall() for key in keys}
        except sqlite3.DatabaseError as fault:
            raise _damaged(fault) from fault
        return {key: [Record("", 0, off, key, value) for off, value in some] for key, some in rows.items()}

    def keys(self, after: str, most: int) -> list[str]:
        """Return the stored keys after this one."""
        try:
            return [key for (key,) in self._db.execute(_KEYS, (after, most))]
        except sqlite3.DatabaseError as fault:
            raise _damaged(fault) from fault

    def first(self, most: int) -> dict[str, str]:
        """Return the first keys of the index."""
        try:
            return dict(self._db.execute(_FIRST, (most,)).fetchall())
        except sqlite3.DatabaseError as fault:
            raise _damaged(fault) from fault

    def save(
        self,
        values: Values,
        offset: int,
        entries: IndexEntries = NO_ENTRIES,
        mark: str = "",
        spilled: Spilled = NO_COMMANDS,
    ) -> None:
        """Save values, index entries, completed commands and the offset in one transaction."""
        cleared = [(key,) for key, text in entries.items() if text is None]
        indexed = [(key, text) for key, text in entries.items() if text is not None]
        with self._transaction(offset, mark):
            self._save_values(values)
            self._db.executemany("DELETE FROM due WHERE key = ?", cleared)
            self._db.executemany("INSERT OR REPLACE INTO due VALUES (?, ?)", indexed)
            self._db.executemany(
                "INSERT OR REPLACE INTO command VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (key, done.command, done.hash, done.version, done.offset, done.at_ms, done.change)
                    for (key, _), done in spilled.commands.items()
                ],
            )
            self._db.execute("DELETE FROM command WHERE at < ?", (spilled.forget_before_ms,))

    def _save_values(self, values: Values) -> None:
        whole = {key: value for key, value in values.items() if isinstance(value, bytes)}
        later = [
            (record.offset, key, record.value)
            for key, records in values.items()
            if not isinstance(records, bytes)
            for record in records
        ]
        self._db.executemany("INSERT OR REPLACE INTO held VALUES (?, ?)", sorted(whole.items()))
        self._db.executemany("DELETE FROM later WHERE key = ?", [(key,) for key in large(whole)])
        self._db.executemany("INSERT OR REPLACE INTO later VALUES (?, ?, ?)", later)

    def recall(self, commands: Iterable[CommandKey]) -> dict[CommandKey, CompletedCommand]:
        """Return the stored ones of the commands: one look-up each."""
        try:
            rows = {key: self._db.execute(_RECALL, key).fetchone() for key in commands}
        except sqlite3.DatabaseError as fault:
            raise _damaged(fault) from fault
        return {key: CompletedCommand(*row) for key, row in rows.items() if row is not None}
