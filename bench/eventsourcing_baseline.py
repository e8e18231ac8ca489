"""The baseline: the same commands in the library `eventsourcing` on SQLite, used as its documentation shows.

The module can be imported only if the library is installed.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID  # noqa: TC003 (the library reads annotations)

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.sqlite import SQLiteCursor, SQLiteFactory

from bench import sample_books
from bench.figures import latencies
from bookshelf.shelf.fields import present

_WHAT = (
    "one new aggregate per command, with the same fields and values, and Application.save(), a commit; "
    "clients are threads"
)


class BaselineBook(Aggregate):
    """An aggregate with the fields of a book of the shelf."""

    @event("Added")
    def __init__(  # noqa: PLR0913, PLR0917 (the library makes the event from these)
        self,
        title: str,
        author: str,
        added: datetime,
        published: str | None,
        isbn: str | None,
        pages: int | None,
        language: str | None,
        tags: tuple[str, ...],
        notes: str | None,
    ) -> None:
        self.title = title
        self.author = author
        self.added = added
        self.published = published
        self.isbn = isbn
        self.pages = pages
        self.language = language
        self.tags = tags
        self.notes = notes


class EventSourcingBaseline:
    """An application of the library on one SQLite file, with threads as clients."""

    def __init__(self, file: Path) -> None:
        environment = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(file)}
        self._application: Application[UUID] = Application(env=environment)

    def asked(self, askers: int, seconds: float) -> dict[str, float]:
        """Return rate and latencies with `askers` concurrent clients. Blocks."""
        taken_s: list[float] = []
        began = time.perf_counter()

        def ask_on() -> None:
            while (asked := time.perf_counter()) < began + seconds or not taken_s:
                fields = present(sample_books.book(len(taken_s)))
                self._application.save(BaselineBook(added=datetime.now(UTC), **fields))
                taken_s.append(time.perf_counter() - asked)

        with ThreadPoolExecutor(askers) as threads:
            for client in [threads.submit(ask_on) for _ in range(askers)]:
                client.result()
        return {"per_s": len(taken_s) / (time.perf_counter() - began), **latencies(taken_s)}

    def facts(self) -> dict[str, Any]:
        """Return the library's version, and the durability settings of its connection."""
        factory = self._application.factory
        assert isinstance(factory, SQLiteFactory)  # noqa: S101 (chosen by the environment above)
        with factory.datastore.transaction(commit=False) as cursor:
            pragmas = {name: _pragma(cursor, name) for name in ("journal_mode", "synchronous")}
        return {"what": _WHAT, "version": version("eventsourcing"), **pragmas}

    def close(self) -> None:
        """Close the file."""
        self._application.close()


def _pragma(cursor: SQLiteCursor, name: str) -> object:
    cursor.execute(f"PRAGMA {name}")
    row = cursor.fetchone()
    return row[0] if row is not None else None
