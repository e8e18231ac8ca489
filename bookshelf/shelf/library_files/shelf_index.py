"""A copy of a shelf's books in a temporary file: what lines are matched with, and what an export writes."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Self

import msgspec

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.entry import (
    Entry,
    FileEntry,
    FileGoal,
    FileList,
    FilePassage,
    FileReading,
    ListPlace,
)
from bookshelf.shelf.library_files.match import MatchKeys, keys_of
from bookshelf.shelf.values import Cover


class ShelfBook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A book of the shelf, in the form of a line's `Entry`.

    `stars`, `review` and `spoiler` are those that the book shows; they may be of a reading. `planned`: it is
    only in the file so far. If it is not `whole`, an import has changed it, and it is to be read again, at
    `position` or later, before it is compared. `version` is the position of its newest event. `by_hand` are
    the fields, as `compare` names them, whose values were set by hand.
    """

    id: str
    book: BookFields
    added: datetime
    removed: bool = False
    merged_into: str | None = None
    readings: tuple[FileReading, ...] = ()
    stars: float | None = None
    review: str | None = None
    spoiler: bool = False
    passages: tuple[FilePassage, ...] = ()
    cover: Cover | None = None
    lists: tuple[ListPlace, ...] = ()
    planned: bool = False
    version: str = ""
    by_hand: tuple[str, ...] = ()
    whole: bool = True
    position: str = ""


#: When a book was added that has no time yet.
NEVER = datetime.min.replace(tzinfo=UTC)


def book_of_entry(entry: Entry, book_id: str) -> ShelfBook:
    """Return the book that a line becomes if it is a new one, as it is planned."""
    return ShelfBook(
        id=book_id,
        book=entry.book,
        added=NEVER,
        readings=tuple(msgspec.structs.replace(reading, number=None) for reading in entry.readings),
        stars=entry.stars,
        review=entry.review,
        spoiler=entry.spoiler and entry.review is not None,
        passages=entry.passages,
        cover=entry.cover,
        planned=True,
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ShelfBook).decode
_decode_goal = msgspec.msgpack.Decoder(FileGoal).decode
_decode_keys = msgspec.msgpack.Decoder(MatchKeys).decode

_TABLES = """
CREATE TABLE book (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT UNIQUE, removed INTEGER, isbn TEXT, title TEXT, keys BLOB, book BLOB);
CREATE INDEX by_isbn ON book (isbn) WHERE isbn <> '';
CREATE INDEX by_title ON book (title);
CREATE TABLE other_id (scheme TEXT, id TEXT, book INTEGER, PRIMARY KEY (scheme, id, book)) WITHOUT ROWID;
CREATE INDEX ids_of ON other_id (book);
CREATE TABLE met (id TEXT PRIMARY KEY, year INTEGER) WITHOUT ROWID;
CREATE TABLE alias (id TEXT PRIMARY KEY, book TEXT) WITHOUT ROWID;
CREATE TABLE list (number INTEGER PRIMARY KEY, key TEXT UNIQUE, id TEXT, name TEXT, line INTEGER);
CREATE TABLE place (
  number INTEGER PRIMARY KEY, list TEXT, book TEXT, position INTEGER, added TEXT, UNIQUE (list, book));
CREATE TABLE goal (year INTEGER PRIMARY KEY, goal BLOB);
"""
_INSERT = "INSERT INTO book (id, removed, isbn, title, keys, book) VALUES (?, ?, ?, ?, ?, ?)"
_OR_UPDATE = """ON CONFLICT (id) DO UPDATE
SET removed = excluded.removed, isbn = excluded.isbn, title = excluded.title, keys = excluded.keys,
book = excluded.book RETURNING number"""
_BY_OTHER_ID = """SELECT book.keys FROM other_id JOIN book ON book.number = other_id.book
WHERE other_id.scheme = ? AND other_id.id = ? AND removed = ? ORDER BY book.number"""


def _place_of(reading: FileReading) -> tuple[bool, str, int]:
    """Return the place of a reading among those of its book, as in `Readings.in_order`."""
    return reading.end == "open", reading.ended or reading.started or "", reading.number or 0


class ShelfIndex:
    """Books by their keys, in a database of this process that grows on disk and is deleted at the end."""

    def __init__(self) -> None:
        #: True if any of the books was removed.
        self.has_removed = False
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES} BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._db.close()

    def put(self, book: ShelfBook) -> None:
        """Keep a book, in place of what was known of it."""
        keys = keys_of(book.book, book.id)
        ((number,),) = self._db.execute(f"{_INSERT} {_OR_UPDATE}", self._row(book, keys)).fetchall()
        self._db.execute("DELETE FROM other_id WHERE book = ?", (number,))
        self._put_ids(number, keys)

    def add(self, book: ShelfBook, keys: MatchKeys) -> None:
        """Keep a book that is not there yet, with its keys."""
        self._put_ids(self._db.execute(_INSERT, self._row(book, keys)).lastrowid, keys)

    def _row(self, book: ShelfBook, keys: MatchKeys) -> tuple[object, ...]:
        self.has_removed = self.has_removed or book.removed
        return book.id, book.removed, keys.isbn, keys.title, _encode(keys), _encode(book)

    def _put_ids(self, number: int | None, keys: MatchKeys) -> None:
        for scheme, other in keys.ids:
            self._db.execute("INSERT INTO other_id VALUES (?, ?, ?)", (scheme, other, number))

    def get(self, book_id: str) -> ShelfBook:
        """Return a book. Raises `KeyError`."""
        row = self._db.execute("SELECT book FROM book WHERE id = ?", (book_id,)).fetchone()
        if row is None:
            raise KeyError(book_id)
        return _decode(row[0])

    def books(self) -> Iterator[ShelfBook]:
        """Yield the books that are on the shelf, in the sequence in which they were put."""
        for (book,) in self._db.execute("SELECT book FROM book WHERE NOT removed ORDER BY number"):
            whole = _decode(book)
            yield msgspec.structs.replace(whole, lists=self.places(whole.id))

    def drop(self, book_id: str) -> None:
        """Forget a book."""
        self._db.execute("DELETE FROM book WHERE id = ?", (book_id,))

    def rename(self, book_id: str, book: ShelfBook, keys: MatchKeys) -> None:
        """Keep a book, with its keys, in place of one with another id and the same fields."""
        row = (book.id, _encode(keys), _encode(book), book_id)
        self._db.execute("UPDATE OR REPLACE book SET id = ?, keys = ?, book = ? WHERE id = ?", row)

    def meet(self, book_id: str, year: int | None) -> None:
        """Note that a line of the file has this book, with this year of publication."""
        self._db.execute("INSERT OR IGNORE INTO met VALUES (?, ?)", (book_id, year))

    def met(self, book_id: str) -> tuple[int | None] | None:
        """Return the year of the line that has this book; None if no line has it so far."""
        row: tuple[int | None] | None = self._db.execute(
            "SELECT year FROM met WHERE id = ?", (book_id,)
        ).fetchone()
        return row

    def extend(
        self, book_id: str, readings: Iterable[FileReading] = (), passages: Iterable[FilePassage] = ()
    ) -> None:
        """Add readings and passages to a book, if it is known. Readings are kept in their sequence."""
        row = self._db.execute("SELECT book FROM book WHERE id = ?", (book_id,)).fetchone()
        if row is None:
            return
        book = _decode(row[0])
        every = sorted((*book.readings, *readings), key=_place_of)
        whole = msgspec.structs.replace(book, readings=tuple(every), passages=(*book.passages, *passages))
        self._db.execute("UPDATE book SET book = ? WHERE id = ?", (_encode(whole), book_id))

    def alias(self, file_id: str, book_id: str) -> None:
        """Note that a book of the file has another id on the shelf."""
        self._db.execute("INSERT OR REPLACE INTO alias VALUES (?, ?)", (file_id, book_id))

    def here(self, file_id: str) -> str | None:
        """Return the id of a book of the file on the shelf; None if it is not there."""
        query = """SELECT id FROM book WHERE NOT removed
        AND id = coalesce((SELECT book FROM alias WHERE alias.id = ?), ?)"""
        row = self._db.execute(query, (file_id, file_id)).fetchone()
        return None if row is None else str(row[0])

    def place(self, name: str, book_id: str, position: int | None) -> None:
        """Note that a list has this book, at this position, if the file gives one.

        Names that differ only in case are one list, with the first of them.
        """
        key = name.casefold()
        self._db.execute("INSERT OR IGNORE INTO list (key, name, line) VALUES (?, ?, 0)", (key, name))
        self._place(key, FileEntry(book_id), position)

    def put_list(self, whole: FileList) -> None:
        """Keep a list with its entries."""
        row = (whole.id, whole.id, whole.name, whole.line)
        self._db.execute("INSERT OR REPLACE INTO list (key, id, name, line) VALUES (?, ?, ?, ?)", row)
        for position, entry in enumerate(whole.entries, start=1):
            self._place(whole.id, entry, position)

    def _place(self, key: str, entry: FileEntry, position: int | None) -> None:
        added = None if entry.added is None else entry.added.isoformat()
        self._db.execute(
            "INSERT OR IGNORE INTO place (list, book, position, added) VALUES (?, ?, ?, ?)",
            (key, entry.book, position, added),
        )

    def lists(self) -> Iterator[FileList]:
        """Yield the lists in their sequence; one that is known only by its name has no id.

        Their entries are in order: by position, then those without one.
        """
        of_list = """SELECT book, added FROM place WHERE list = ?
        ORDER BY position IS NULL, position, number"""
        for key, id_, name, line in self._db.execute(
            "SELECT key, id, name, line FROM list ORDER BY number"
        ).fetchall():
            rows = self._db.execute(of_list, (key,))
            entries = (FileEntry(book, added and datetime.fromisoformat(added)) for book, added in rows)
            yield FileList(id=id_ or "", name=name, entries=tuple(entries), line=line)

    def places(self, book_id: str) -> tuple[ListPlace, ...]:
        """Return the lists that have a book, and its positions there."""
        query = """SELECT coalesce(nullif(name, ''), id), position FROM place JOIN list ON list.key = list
        WHERE book = ? ORDER BY name, list.key"""
        return tuple(ListPlace(*row) for row in self._db.execute(query, (book_id,)))

    def put_goal(self, goal: FileGoal) -> None:
        """Keep the goal of a year."""
        self._db.execute("INSERT OR REPLACE INTO goal VALUES (?, ?)", (goal.year, _encode(goal)))

    def goals(self) -> Iterator[FileGoal]:
        """Yield the goals by year."""
        for (goal,) in self._db.execute("SELECT goal FROM goal ORDER BY year").fetchall():
            yield _decode_goal(goal)

    def candidates(self, *, removed: bool) -> "IndexedBooks":
        """Return the books on the shelf, or those that were removed, by their keys."""
        return IndexedBooks(self._db, removed)


class IndexedBooks:
    """The books on a shelf, or the removed ones, by their keys."""

    def __init__(self, db: sqlite3.Connection, removed: bool) -> None:  # noqa: FBT001 (of this module)
        self._db = db
        self._removed = removed

    def by_id(self, book_id: str) -> Sequence[MatchKeys]:
        """Return the book with this id of the shelf, removed or not: an id stays its book's."""
        return self._keys("SELECT keys FROM book WHERE id = ?", book_id)

    def by_ids(self, ids: Iterable[tuple[str, str]]) -> Sequence[MatchKeys]:
        """Return the books with one of these ids of other programs."""
        return [
            keys
            for scheme, id_ in sorted(ids)
            for keys in self._keys(_BY_OTHER_ID, scheme, id_, self._removed)
        ]

    def by_isbn(self, isbn: str) -> Sequence[MatchKeys]:
        """Return the books with this ISBN."""
        query = "SELECT keys FROM book WHERE isbn = ? AND isbn <> '' AND removed = ? ORDER BY number"
        return self._keys(query, isbn, self._removed)

    def by_title(self, title: str) -> Sequence[MatchKeys]:
        """Return the books with this folded title."""
        query = "SELECT keys FROM book WHERE title = ? AND removed = ? ORDER BY number"
        return self._keys(query, title, self._removed)

    def _keys(self, query: str, *values: object) -> Sequence[MatchKeys]:
        return [_decode_keys(row[0]) for row in self._db.execute(query, values)]
