"""A copy of a shelf's books in a temporary file: what lines are matched with, and what an export writes."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Self

import msgspec

from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.entry import FilePassage, FileReading, ListPlace
from bookshelf.shelf.library_files.match import MatchKeys, keys_of
from bookshelf.shelf.values import Cover


class ShelfBook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A book of the shelf, in the form of a line's `Entry`.

    `stars`, `review` and `spoiler` are those that the book shows; they may be of a reading. If it is not
    `whole`, its readings and passages are not known, and it is to be read again, at `position` or later,
    before it is compared. `version` is the position of its newest event. `by_hand` are the fields, as
    `compare` names them, whose values were set by hand.
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
    version: str = ""
    by_hand: tuple[str, ...] = ()
    whole: bool = True
    position: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ShelfBook).decode
_decode_keys = msgspec.msgpack.Decoder(MatchKeys).decode

_TABLES = """
CREATE TABLE book (
  number INTEGER PRIMARY KEY, id TEXT UNIQUE, removed INTEGER, isbn TEXT, title TEXT, keys BLOB, book BLOB);
CREATE INDEX by_isbn ON book (isbn) WHERE isbn <> '';
CREATE INDEX by_title ON book (title);
CREATE TABLE other_id (scheme TEXT, id TEXT, book INTEGER, PRIMARY KEY (scheme, id, book)) WITHOUT ROWID;
CREATE TABLE met (id TEXT PRIMARY KEY, year INTEGER) WITHOUT ROWID;
CREATE TABLE place (
  number INTEGER PRIMARY KEY, list TEXT, book TEXT, position INTEGER, UNIQUE (list, book));
"""
_UPSERT = """INSERT INTO book (id, removed, isbn, title, keys, book) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET removed = excluded.removed, isbn = excluded.isbn, title = excluded.title,
keys = excluded.keys, book = excluded.book RETURNING number"""
_BY_OTHER_ID = """SELECT book.keys FROM other_id JOIN book ON book.number = other_id.book
WHERE other_id.scheme = ? AND other_id.id = ? AND removed = ? ORDER BY book.number"""


class ShelfIndex:
    """Books by their keys, in a database of this process that grows on disk and is deleted at the end."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES} BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._db.close()

    def put(self, book: ShelfBook) -> None:
        """Keep a book, in place of what was known of it."""
        keys = keys_of(book.book, book.id)
        row = (book.id, book.removed, keys.isbn, keys.title, _encode(keys), _encode(book))
        ((number,),) = self._db.execute(_UPSERT, row).fetchall()
        self._db.execute("DELETE FROM other_id WHERE book = ?", (number,))
        rows = [(scheme, other, number) for scheme, other in keys.ids]
        self._db.executemany("INSERT INTO other_id VALUES (?, ?, ?)", rows)

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

    def rename(self, book_id: str, book: ShelfBook) -> None:
        """Keep a book in place of one with another id and the same fields."""
        keys = keys_of(book.book, book.id)
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

    def place(self, name: str, book_id: str, position: int | None) -> None:
        """Note that a list of the file has this book, and at which position, if the file gives one."""
        self._db.execute(
            "INSERT OR IGNORE INTO place (list, book, position) VALUES (?, ?, ?)", (name, book_id, position)
        )

    def placed_lists(self) -> list[str]:
        """Return the names of the lists that have books, in the sequence of the file."""
        query = "SELECT list FROM place GROUP BY list ORDER BY min(number)"
        return [name for (name,) in self._db.execute(query)]

    def placed_books(self, name: str) -> list[str]:
        """Return the books of a list by position; those without one come last, in the file's sequence."""
        query = "SELECT book FROM place WHERE list = ? ORDER BY position IS NULL, position, number"
        return [book for (book,) in self._db.execute(query, (name,))]

    def places(self, book_id: str) -> tuple[ListPlace, ...]:
        """Return the lists that have a book, and its positions there."""
        query = "SELECT list, position FROM place WHERE book = ? ORDER BY list"
        return tuple(ListPlace(*row) for row in self._db.execute(query, (book_id,)))

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
