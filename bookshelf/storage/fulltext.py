"""Full-text search over a table's columns, with an index that the database itself updates."""

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import DDL, ColumnElement, Connection, Table, event, literal_column, text

if TYPE_CHECKING:
    from sqlalchemy.schema import ExecutableDDLElement

_WORD = re.compile(r"[^\W_]+")

#: PostgreSQL: splits a text into the same words as SQLite's tokenizer unicode61. It removes diacritics from
#: the letters A to Z, folds case (a final sigma too), and splits at all characters that are neither letters
#: nor digits. ICU's collation has the letters of all languages; words are cut to a length that fits an index.
_SPLIT = r"""array_remove(regexp_split_to_array(regexp_replace(translate(lower(normalize(regexp_replace(
    normalize({text}, NFD), '([A-Za-z])[\u0300-\u036f]+', '\1', 'g'), NFC) COLLATE "und-x-icu"),
    U&'\03c2', U&'\03c3'),
    '([[:alnum:]]{{200}})[[:alnum:]]+', '\1', 'g'), '[^[:alnum:]]+'), '')"""


def index_words(table: Table, columns: Sequence[str]) -> None:
    """Create an index of the columns' words with the table, whose key must be an integer named `seq`.

    SQLite: FTS5 with the table as its content, updated by triggers. PostgreSQL: a generated column.
    """
    for dialect, statements in (("sqlite", _sqlite(table, columns)), ("postgresql", _postgresql(columns))):
        for statement in statements:
            made: ExecutableDDLElement = DDL(statement)  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
            event.listen(table, "after_create", made.execute_if(dialect=dialect))


def _sqlite(table: Table, columns: Sequence[str]) -> Sequence[str]:
    name, words = table.name, f"{table.name}_words"
    listed = ", ".join(columns)
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("new", "old"))
    add = f"INSERT INTO {words}(rowid, {listed}) VALUES (new.seq, {new});"  # noqa: S608 (names of our own)
    take = f"INSERT INTO {words}({words}, rowid, {listed}) VALUES ('delete', old.seq, {old});"  # noqa: S608
    index = f"fts5({listed}, content='{name}', content_rowid='seq', tokenize='unicode61 remove_diacritics 2')"
    return (
        f"CREATE VIRTUAL TABLE {words} USING {index}",
        f"CREATE TRIGGER {words}_added AFTER INSERT ON {name} BEGIN {add} END",
        f"CREATE TRIGGER {words}_removed AFTER DELETE ON {name} BEGIN {take} END",
        f"CREATE TRIGGER {words}_changed AFTER UPDATE OF {listed} ON {name} BEGIN {take} {add} END",
    )


def _postgresql(columns: Sequence[str]) -> Sequence[str]:
    joined = " || ' ' || ".join(f"coalesce({column}, '')" for column in columns)
    words = f"array_to_tsvector({_SPLIT.format(text=joined)})"
    return (
        f"ALTER TABLE %(fullname)s ADD COLUMN words tsvector GENERATED ALWAYS AS ({words}) STORED",
        "CREATE INDEX ON %(fullname)s USING gin (words)",
    )


def has_words(db: Connection, table: Table, query: str) -> ColumnElement[bool]:
    """Return the condition that each word of the query is, or begins, a word of an indexed column."""
    words = _WORD.findall(unicodedata.normalize("NFC", query))
    if not words:
        return literal_column("0 = 1")
    if db.dialect.name == "postgresql":
        return _found_by_postgresql(words)
    return _found_by_sqlite(table, words)


def _found_by_sqlite(table: Table, words: Sequence[str]) -> ColumnElement[bool]:
    match = " ".join(f'"{word}"*' for word in words)
    found = text(f"SELECT rowid FROM {table.name}_words WHERE {table.name}_words MATCH :words")  # noqa: S608
    return table.c.seq.in_(found.bindparams(words=match).columns(table.c.seq).scalar_subquery())


def _found_by_postgresql(words: Sequence[str]) -> ColumnElement[bool]:
    split = _SPLIT.format(text="CAST(:words AS text)").replace(":alnum:", r"\:alnum\:")
    asked = f"nullif(array_to_string({split}, ''':* & '''), '')"
    match = text(rf"CAST('''' || {asked} || '''\:*' AS tsquery)")
    return literal_column("words").bool_op("@@")(match.bindparams(words=" ".join(words)))
