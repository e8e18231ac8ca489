"""Table sets that are lost with the process and use no threads, for tests and simulations."""

import tempfile
from pathlib import Path

from bookshelf.cqrs.view import View
from bookshelf.storage.port import TableSet
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
