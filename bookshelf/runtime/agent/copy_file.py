"""The file of a partition's copies: of each key the states that were folded, and the records after them.

It can be made again from the log, so nothing waits for the disk, and a damaged one is deleted. After a crash
of the machine it might be damaged in a way that SQLite does not see, so each boot begins with an empty one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from struct import Struct

from bookshelf.runtime.aggregate.disposable_file import DisposableFile
from bookshelf.storage.port import TableSetCorrupt

#: Records of a key that are kept beside its states; with more, `save` has them folded.
FOLD_AFTER = 4
#: `later` has the records after `states`, each after its length; `n` is their number. Large pages, as most
#: rows have 1 to 2 KB: with those of 4 KiB a row took 1.6 times the processor time.
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS copy (
  key TEXT PRIMARY KEY, n INT NOT NULL, states BLOB NOT NULL, later BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS copy_long ON copy (key) WHERE n > {FOLD_AFTER};
"""
_PAGE_BYTES = 16 << 10
#: What identifies the boot of a machine; where it is not known, writes wait for the disk as SQLite advises.
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ADD = (
    "INSERT INTO copy VALUES (?, ?, x'', ?) "
    "ON CONFLICT (key) DO UPDATE SET n = n + excluded.n, later = CAST(later || excluded.later AS BLOB)"
)
_REPLACE = "INSERT OR REPLACE INTO copy VALUES (?, ?, ?, ?)"
_LOOK_UP = "SELECT states, later FROM copy WHERE key = ?"
_LONG = f"SELECT key, states, later FROM copy WHERE n > {FOLD_AFTER} LIMIT 1"  # noqa: S608 (a number)
_length = Struct(">I")
_pack, _unpack_from, _LENGTH = _length.pack, _length.unpack_from, _length.size

#: Encoded states, which are empty bytes for none, and the values of the records after them.
Stored = tuple[bytes, Sequence[bytes]]


#: Returns the encoded states after all records of a key.
Fold = Callable[[Stored], bytes]


class CopyFile(DisposableFile[tuple[int, str]]):
    """The copies of one partition in one SQLite file, as of one offset. Blocks: call it in a thread."""

    def __init__(self, path: Path) -> None:
        self._boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.is_file() else ""
        durable = f"synchronous = {'OFF' if self._boot else 'NORMAL'}"
        super().__init__(path, _SCHEMA, (f"page_size = {_PAGE_BYTES}", "journal_mode = WAL", durable))

    def open(self, source: str) -> tuple[int, str]:
        """Return the offset to read on from, and the mark of the record before it; 0 if nothing is stored.

        A file that is damaged, or was made from another log or for other states, begins empty.
        """
        return super().open(f"{source}/{self._boot}")

    def _begin(self, offset: int, about: Mapping[str, str]) -> tuple[int, str]:
        return offset, about.get("mark", "")

    def load(self, key: str) -> Stored | None:
        """Return what is stored of a key; None if it is nothing. Raises `TableSetCorrupt`."""
        try:
            row = self._db.execute(_LOOK_UP, (key,)).fetchone()
        except sqlite3.DatabaseError as fault:
            raise _damaged(fault) from fault
        return None if row is None else (row[0], _split(row[1]))

    def save(
        self,
        later: Mapping[str, Sequence[bytes]],
        whole: Mapping[str, Stored],
        fold: Fold,
        end: tuple[int, str],
    ) -> None:
        """Add later records to what is stored of keys, and replace that of others; all or none.

        `end`: the offset up to which all is stored then, and the mark of the record before it. Raises
        `Unsaved` if the disk refuses the write, `TableSetCorrupt`.
        """
        try:
            with self._transaction(*end):
                added = ((key, len(later[key]), _joined(later[key])) for key in sorted(later))
                self._db.executemany(_ADD, added)
                self._db.executemany(
                    _REPLACE,
                    ((key, len(some), states, _joined(some)) for key, (states, some) in whole.items()),
                )
                while (row := self._db.execute(_LONG).fetchone()) is not None:
                    key, states, records = row
                    self._db.execute(_REPLACE, (key, 0, fold((states, _split(records))), b""))
        except sqlite3.DatabaseError as fault:
            raise _damaged(fault) from fault


def _damaged(fault: sqlite3.DatabaseError) -> TableSetCorrupt:
    return TableSetCorrupt(f"stored copies cannot be read ({fault}); they are made again from the log")


def _joined(values: Iterable[bytes]) -> bytes:
    return b"".join([part for value in values for part in (_pack(len(value)), value)])


def _split(joined: bytes) -> list[bytes]:
    values, place = [], 0
    while place < len(joined):
        (length,) = _unpack_from(joined, place)
        place += _LENGTH
        values.append(joined[place : place + length])
        place += length
    return values
