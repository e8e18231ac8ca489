"""The rows of a list of books beside the books: their authors, series and tags, and the entries of lists."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    insert,
    update,
)

from bookshelf.cqrs.view import Change, Handler, Recorded
from bookshelf.shelf import events
from bookshelf.shelf.fields import present
from bookshelf.shelf.sort_keys import name_key
from bookshelf.shelf.values import Contributor, author_names
from bookshelf.storage.statements import TEXT

AUTHOR, SERIES, TAG = "author", "series", "tag"


class NameRows:
    """A table of the names that books have: a row for each author, series and tag of a book."""

    def __init__(self, name: str, metadata: MetaData) -> None:
        self.table = Table(
            name,
            metadata,
            Column("book", TEXT, primary_key=True),
            Column("kind", TEXT, primary_key=True),
            Column("position", Integer, primary_key=True, autoincrement=False),
            Column("name", TEXT, nullable=False),
            Column("key", TEXT, nullable=False),
            sqlite_with_rowid=False,
        )
        Index(f"{name}_of", self.table.c.kind, self.table.c.name, self.table.c.book)
        self._insert = insert(self.table)
        place = (self.table.c.book == bindparam("row"), self.table.c.kind == bindparam("of"))
        self._delete = delete(self.table).where(*place)

    def added(self, event: events.BookAdded, recorded: Recorded) -> Iterator[Change]:
        """Insert the names of a new book."""
        if event.contributors or event.author:
            yield from self._inserted(recorded.subject, AUTHOR, _authors(event.contributors, event.author))
        if event.series:
            yield from self._inserted(recorded.subject, SERIES, (entry.name for entry in event.series))
        if event.tags:
            yield from self._inserted(recorded.subject, TAG, event.tags)

    def changed(self, event: events.BookChanged, recorded: Recorded) -> Iterator[Change]:
        """Replace the names of the changed fields."""
        fields = present(event)
        if "contributors" in fields or "author" in fields:
            authors = _authors(fields.get("contributors", ()), fields.get("author", ""))
            yield from self._replaced(recorded.subject, AUTHOR, authors)
        if "series" in fields:
            yield from self._replaced(recorded.subject, SERIES, (entry.name for entry in fields["series"]))
        if "tags" in fields:
            yield from self._replaced(recorded.subject, TAG, fields["tags"])

    def _replaced(self, book: str, kind: str, names: Iterable[str]) -> Iterator[Change]:
        yield self._delete, {"row": book, "of": kind}
        yield from self._inserted(book, kind, names)

    def _inserted(self, book: str, kind: str, names: Iterable[str]) -> Iterator[Change]:
        for position, name in enumerate(dict.fromkeys(names)):
            row = {
                "book": book,
                "kind": kind,
                "position": position,
                "name": name,
                "key": name_key(name) or "",
            }
            yield self._insert, row


def _authors(contributors: Sequence[Contributor], author: str) -> list[str]:
    return author_names(contributors) or [author] * bool(author)


class EntryRows:
    """A table of the entries of lists, with their times; those of a removed list are kept and hidden."""

    def __init__(self, name: str, metadata: MetaData) -> None:
        self.table = Table(
            name,
            metadata,
            Column("list", TEXT, primary_key=True),
            Column("book", TEXT, primary_key=True),
            Column("rank", TEXT, nullable=False),
            Column("added", TEXT, nullable=False),
            Column("hidden", Boolean, nullable=False),
            sqlite_with_rowid=False,
        )
        entry = self.table.c
        of_list, of_book = entry.list == bindparam("of"), entry.book == bindparam("row")
        self._insert = insert(self.table)
        self._move = update(self.table).where(of_list, of_book).values(rank=bindparam("to"))
        self._delete = delete(self.table).where(of_list, of_book)
        self._hide = update(self.table).where(of_list).values(hidden=bindparam("is_hidden"))
        self.handlers: Mapping[type[Any], Handler] = {
            events.ListCreated: lambda _event, _recorded: (),
            events.ListRenamed: lambda _event, _recorded: (),
            events.GoalSet: lambda _event, _recorded: (),
            events.ListEntryAdded: self._added,
            events.ListEntryMoved: lambda event, recorded: self._ranked(recorded, {event.book: event.rank}),
            events.ListReordered: lambda event, recorded: self._ranked(recorded, event.ranks),
            events.ListEntryRemoved: self._removed,
            events.ListRemoved: self._hiding(hidden=True),
            events.ListRestored: self._hiding(hidden=False),
        }

    def _added(self, event: events.ListEntryAdded, recorded: Recorded) -> Iterable[Change]:
        row = {"list": recorded.subject, "book": event.book, "rank": event.rank, "hidden": False}
        yield self._insert, {**row, "added": (event.added or recorded.time).isoformat()}

    def _ranked(self, recorded: Recorded, ranks: Mapping[str, str]) -> Iterable[Change]:
        for book, rank in ranks.items():
            yield self._move, {"of": recorded.subject, "row": book, "to": rank}

    def _removed(self, event: events.ListEntryRemoved, recorded: Recorded) -> Iterable[Change]:
        yield self._delete, {"of": recorded.subject, "row": event.book}

    def _hiding(self, *, hidden: bool) -> Callable[[Any, Recorded], Iterable[Change]]:
        return lambda _event, recorded: [(self._hide, {"of": recorded.subject, "is_hidden": hidden})]
