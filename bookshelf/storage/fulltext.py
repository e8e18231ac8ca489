"""Full-text search over columns of tokens, with an index that the database itself updates.

A column has tokens separated by spaces. The database splits at spaces only: which tokens a text has is
decided before, so that every database finds the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    DDL,
    ColumnElement,
    Connection,
    Integer,
    Table,
    bindparam,
    case,
    cast,
    event,
    literal,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from bookshelf.storage.mariadb.token_table import TokenTable

if TYPE_CHECKING:
    from sqlalchemy.schema import ExecutableDDLElement

#: Words of a query, each with its alternatives, each of these several tokens.
Terms = Sequence[Sequence[Sequence[str]]]
#: Only these tokens of a query decide its relevance: each costs several look-ups.
_RELEVANT = 8
#: Terms are rare if one of so many rows has them, or fewer: to look up a row costs as much as so many entries
#: of an index.
_RARE = 20
#: The weights of PostgreSQL's tsvector, the greatest first.
_LETTERS = "ABCD"


class JoinedRows(FunctionElement[str]):
    """An aggregate: the values of rows, joined by spaces."""

    inherit_cache = True


@compiles(JoinedRows)
def _group_concat(element: Any, compiler: Any, **options: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    return f"group_concat({compiler.process(element.clauses, **options)}, ' ')"


@compiles(JoinedRows, "mysql")
def _group_concat_of_mariadb(element: Any, compiler: Any, **options: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    return f"group_concat({compiler.process(element.clauses, **options)} SEPARATOR ' ')"


@compiles(JoinedRows, "postgresql")
def _string_agg(element: Any, compiler: Any, **options: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    return f"string_agg({compiler.process(element.clauses, **options)}, ' ')"


class TokenIndex:
    """The index of a table's columns of tokens, created with the table, whose key is an integer named `seq`.

    `columns`: the weight of each column; there are up to four different weights.
    SQLite: FTS5 with the table as its content, updated by triggers. PostgreSQL: a generated column.
    MariaDB: a table of tokens, updated by triggers.
    """

    def __init__(self, table: Table, columns: Mapping[str, int]) -> None:
        self._table = table
        self._columns: dict[int, list[str]] = {}
        for name, weight in sorted(columns.items(), key=lambda pair: -pair[1]):
            self._columns.setdefault(weight, []).append(name)
        for dialect, statements in (("sqlite", self._sqlite()), ("postgresql", self._postgresql())):
            for statement in statements:
                made: ExecutableDDLElement = DDL(statement)  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
                event.listen(table, "after_create", made.execute_if(dialect=dialect))
        self._tokens = TokenTable(table, self._columns)

    def _names(self) -> list[str]:
        return [name for names in self._columns.values() for name in names]

    def _sqlite(self) -> Iterator[str]:
        name, words, columns = self._table.name, f"{self._table.name}_words", self._names()
        listed = ", ".join(columns)
        new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("new", "old"))
        add = f"INSERT INTO {words}(rowid, {listed}) VALUES (new.seq, {new});"  # noqa: S608 (names of our own)
        take = f"INSERT INTO {words}({words}, rowid, {listed}) VALUES ('delete', old.seq, {old});"  # noqa: S608
        # positions and sizes serve phrases and ranks by frequency, which no query asks for
        options = "tokenize = \"ascii tokenchars '+#'\", detail = 'column', columnsize = 0"
        content = f"content='{name}', content_rowid='seq'"
        yield f"CREATE VIRTUAL TABLE {words} USING fts5({listed}, {content}, {options})"
        yield f"CREATE TRIGGER {words}_added AFTER INSERT ON {name} BEGIN {add} END"
        yield f"CREATE TRIGGER {words}_removed AFTER DELETE ON {name} BEGIN {take} END"
        changed = " OR ".join(f"old.{column} IS NOT new.{column}" for column in columns)
        when = f"AFTER UPDATE OF {listed} ON {name} WHEN {changed}"
        yield f"CREATE TRIGGER {words}_changed {when} BEGIN {take} {add} END"

    def _postgresql(self) -> Iterator[str]:
        # a lexeme has a weight only at a position; which one does not matter
        vector = "CAST(coalesce(replace(nullif({name}, ''), ' ', ':1 ') || ':1', '') AS tsvector)"
        weighted = (
            f"setweight({vector.format(name=name)}, '{letter}')"
            for letter, names in zip(_LETTERS, self._columns.values(), strict=False)
            for name in names
        )
        words = " || ".join(weighted)
        yield f"ALTER TABLE %(fullname)s ADD COLUMN words tsvector GENERATED ALWAYS AS ({words}) STORED"
        yield "CREATE INDEX ON %(fullname)s USING gin (words)"

    def has_terms(self, db: Connection, terms: Terms, weight: int | None = None) -> ColumnElement[bool]:
        """Return the condition that a row has every term, in the columns of this weight or in any.

        A row has a term if it has each token of one alternative, or a longer one.
        """
        if db.dialect.name == "postgresql":
            letter = "" if weight is None else _LETTERS[list(self._columns).index(weight)]
            return self._found_by_postgresql(_match(terms, f"'{{}}':*{letter}", "&", "|"))
        if db.dialect.name == "mysql":
            return self._tokens.has_terms(terms, weight)
        match = _match(terms, '"{}"*', "AND", "OR")
        return self._found_by_sqlite(match if weight is None else f"{self._filter(weight)} : {match}")

    def is_rare(self, db: Connection, terms: Terms) -> bool:
        """Return True if so few rows have every term that reading them takes less than an index of all rows.

        PostgreSQL and MariaDB find this out themselves.
        """
        if db.dialect.name != "sqlite" or not terms:
            return False
        words = f"{self._table.name}_words"
        newest = f"(SELECT coalesce(max(seq), 0) FROM {self._table.name})"  # noqa: S608 (names of our own)
        some = f"SELECT rowid FROM {words} WHERE {words} MATCH :match LIMIT 1 + {newest} / {_RARE}"  # noqa: S608 (see above)
        query = text(f"SELECT count(*) <= {newest} / {_RARE} FROM ({some})")  # noqa: S608 (see above)
        return bool(db.scalar(query, {"match": _match(terms, '"{}"*', "AND", "OR")}))

    def relevance(self, db: Connection, terms: Terms) -> ColumnElement[int]:
        """Return a row's relevance: for each token the weights of its columns, twice if it is whole."""
        tokens = dict.fromkeys(token for term in terms for parts in term for token in parts)
        score: ColumnElement[int] = literal(0, Integer)
        for token in list(tokens)[:_RELEVANT]:
            for letter, weight in zip(_LETTERS, self._columns, strict=False):
                for whole in (False, True):
                    condition = self._has_token(db, token, letter, weight, whole=whole)
                    score = score + case((condition, weight), else_=0)
        return score

    def _has_token(
        self, db: Connection, token: str, letter: str, weight: int, *, whole: bool
    ) -> ColumnElement[bool]:
        if db.dialect.name == "postgresql":
            return self._found_by_postgresql(f"'{token}':{'' if whole else '*'}{letter}")
        if db.dialect.name == "mysql":
            return self._tokens.has_token(token, weight, whole=whole)
        return self._found_by_sqlite(f'{self._filter(weight)} : "{token}"{"" if whole else "*"}')

    def _filter(self, weight: int) -> str:
        return f"{{{' '.join(self._columns[weight])}}}"

    def _found_by_sqlite(self, match: str) -> ColumnElement[bool]:
        words = f"{self._table.name}_words"
        found = text(f"SELECT rowid FROM {words} WHERE {words} MATCH :match")  # noqa: S608 (names of our own)
        rows = found.bindparams(bindparam("match", match, unique=True)).columns(self._table.c.seq)
        return self._table.c.seq.in_(rows.scalar_subquery())

    def _found_by_postgresql(self, query: str) -> ColumnElement[bool]:
        return literal_column("words").bool_op("@@")(cast(literal(query), TSQUERY))


def _match(terms: Terms, form: str, both: str, either: str) -> str:
    def joined(sign: str, parts: Iterable[str]) -> str:
        return f"({f' {sign} '.join(parts)})"

    return joined(
        both,
        (
            joined(either, (joined(both, map(form.format, tokens)) for tokens in alternatives))
            for alternatives in terms
        ),
    )
