"""Table sets in SQLite files: a folder per view, a file per generation, and a pointer to the live one.

For tests and simulations, table sets that are lost with the process and use no threads.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DatabaseError

from bookshelf.cqrs.view import View
from bookshelf.storage.port import StorageFault, TableSet
from bookshelf.storage.table_files import SqliteTables


class MemoryStorage:
    """SQLite files in a temporary folder, used in the caller's thread, so that every run is the same."""

    shared = False

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bookshelf-")
        self._made = 0
        self._open: list[SqliteTables] = []

    async def live(self, view: View, source: str) -> TableSet:
        """Create a new set, because none outlives the process."""
        return await self.beside(view, source)

    async def beside(self, view: View, source: str) -> TableSet:
        """Create a new empty set."""
        self._made += 1
        tables = SqliteTables(Path(self._folder.name) / f"{view.name}-{self._made}.sqlite", None, None)
        tables.create(view, source)
        self._open.append(tables)
        return tables

    async def swap(self, view: View, former: TableSet, new: TableSet) -> None:  # noqa: ARG002
        """Close the former set; the caller has the new one already."""
        await former.close()

    async def close(self) -> None:
        """Close all sets and delete the folder."""
        for tables in self._open:
            tables.dispose()
        self._folder.cleanup()


T = TypeVar("T")


class SqliteStorage:
    """The rows of all views below `folder`. One thread writes while `readers` threads read."""

    shared = False

    def __init__(self, folder: Path, readers: int = 2) -> None:
        self._folder = folder
        self._write = ThreadPoolExecutor(1, thread_name_prefix="view-writer")
        self._read = ThreadPoolExecutor(readers, thread_name_prefix="view-reader")

    async def live(self, view: View, source: str) -> TableSet:
        """Open the live set, or create a new one if it is of another version or log, or damaged."""
        return await self._in_thread(lambda: self._live(view, source))

    async def beside(self, view: View, source: str) -> TableSet:
        """Create a new empty set beside the live one."""
        return await self._in_thread(lambda: self._new(view, source))

    async def swap(self, view: View, former: TableSet, new: TableSet) -> None:
        """Make the new set live, then delete the former one once its last read has ended."""
        await self._in_thread(lambda: self._point(view, _path(new)))
        await former.close()
        await self._in_thread(lambda: _unlink(_path(former)))

    async def close(self) -> None:
        """End the threads."""
        await asyncio.to_thread(self._write.shutdown)
        await asyncio.to_thread(self._read.shutdown)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._write, work)

    def _live(self, view: View, source: str) -> SqliteTables:
        folder = self._folder / view.name
        folder.mkdir(parents=True, exist_ok=True)
        pointer = folder / "live"
        name = pointer.read_text().strip() if pointer.exists() else ""
        for left in folder.glob("*.sqlite"):
            if left.name != name:
                _unlink(left)  # a rebuild that was interrupted
        if name and (tables := self._open(folder / name, view, source)):
            return tables
        if name:
            _unlink(folder / name)
        fresh = self._new(view, source)
        self._point(view, fresh.path)
        return fresh

    def _open(self, path: Path, view: View, source: str) -> SqliteTables | None:
        """Return the set in the file, or None if it cannot be used: its rows are rebuilt from the log."""
        if not path.exists():
            return None
        tables = SqliteTables(path, self._write, self._read)
        with contextlib.suppress(DatabaseError, StorageFault):
            if tables.descends_from(view, source):
                return tables
        tables.dispose()
        return None

    def _new(self, view: View, source: str) -> SqliteTables:
        folder = self._folder / view.name
        taken = [int(path.stem) for path in folder.glob("*.sqlite")]
        tables = SqliteTables(folder / f"{max(taken, default=0) + 1}.sqlite", self._write, self._read)
        tables.create(view, source)
        return tables

    def _point(self, view: View, path: Path) -> None:
        pointer = self._folder / view.name / "live"
        draft = pointer.with_suffix(".new")
        draft.write_text(path.name)
        draft.replace(pointer)


def _path(tables: TableSet) -> Path:
    assert isinstance(tables, SqliteTables)  # noqa: S101 (only its own sets come back to a storage)
    return tables.path


def _unlink(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
