"""Full-text search over a table's columns, kept true by the database itself."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import DDL, ColumnElement, Table, event, literal_column, text

if TYPE_CHECKING:
    from sqlalchemy.schema import ExecutableDDLElement

_WORD = re.compile(r"\w+")


def index_words(table: Table, columns: Sequence[str]) -> None:
    """Have an index of the columns' words made with the table. Its key must be an integer named `seq`.

    SQLite: FTS5 over the table's own content, moved along by triggers; accents and case do not matter.
    """
    name, words = table.name, f"{table.name}_words"
    listed = ", ".join(columns)
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("new", "old"))
    add = f"INSERT INTO {words}(rowid, {listed}) VALUES (new.seq, {new});"  # noqa: S608 (names of our own)
    take = f"INSERT INTO {words}({words}, rowid, {listed}) VALUES ('delete', old.seq, {old});"  # noqa: S608
    index = f"fts5({listed}, content='{name}', content_rowid='seq', tokenize='unicode61 remove_diacritics 2')"
    for statement in (
        f"CREATE VIRTUAL TABLE {words} USING {index}",
        f"CREATE TRIGGER {words}_added AFTER INSERT ON {name} BEGIN {add} END",
        f"CREATE TRIGGER {words}_removed AFTER DELETE ON {name} BEGIN {take} END",
        f"CREATE TRIGGER {words}_changed AFTER UPDATE OF {listed} ON {name} BEGIN {take} {add} END",
    ):
        made: ExecutableDDLElement = DDL(statement)  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
        event.listen(table, "after_create", made.execute_if(dialect="sqlite"))


def has_words(table: Table, query: str) -> ColumnElement[bool]:
    """Every word of the query, as a whole or a beginning, is in one of the indexed columns."""
    words = _WORD.findall(query)
    if not words:
        return literal_column("0 = 1")
    match = " ".join(f'"{word}"*' for word in words)
    found = text(f"SELECT rowid FROM {table.name}_words WHERE {table.name}_words MATCH :words")  # noqa: S608
    return table.c.seq.in_(found.bindparams(words=match).columns(table.c.seq).scalar_subquery())
