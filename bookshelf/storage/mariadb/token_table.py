"""Full-text search on MariaDB: a table with a row for each token of a row of another table.

InnoDB's own full-text index drops short words and splits at its own characters, so it would find other rows
than other databases do. Loads no driver.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    event,
    false,
    or_,
    select,
)

#: Characters of a token: the longest of a text has fewer.
_TOKEN_LENGTH = 255
#: Follows every character that a token has.
_LAST = "\U0010ffff"


class TokenTable:
    """The tokens of a table's columns, with the weights of their columns, kept by triggers of the table.

    The key of the table is an integer named `seq`. `columns`: the names of columns by their weight.
    """

    def __init__(self, table: Table, columns: Mapping[int, Sequence[str]]) -> None:
        self._table = table
        self._columns = columns
        self.tokens = Table(
            f"{table.name}_tokens",
            MetaData(),
            Column("token", String(_TOKEN_LENGTH), primary_key=True),
            Column("weight", Integer, primary_key=True, autoincrement=False),
            Column("seq", Integer, primary_key=True, autoincrement=False),
        )
        Index(f"{table.name}_tokens_of", self.tokens.c.seq, self.tokens.c.token)
        event.listen(table, "after_create", self._create)

    def _create(self, _target: Table, db: Connection, **_more: Any) -> None:  # noqa: ANN401 (SQLAlchemy's)
        if db.dialect.name != "mysql":
            return
        self.tokens.create(db, checkfirst=False)
        quote = db.dialect.identifier_preparer.quote_identifier
        schema = quote(db.schema_for_object(self._table) or "")
        of, tokens = (f"{schema}.{quote(table.name)}" for table in (self._table, self.tokens))
        add = f"INSERT IGNORE INTO {tokens} (token, weight, seq) {self._split(quote)}"
        take = f"DELETE FROM {tokens} WHERE seq = OLD.seq"  # noqa: S608 (names of our own)
        names = [quote(name) for listed in self._columns.values() for name in listed]
        same = " AND ".join(f"OLD.{name} <=> NEW.{name}" for name in ("seq", *names))
        changed = f"IF NOT ({same}) THEN {take}; {add}; END IF"
        for when, done in (("INSERT", add), ("DELETE", take), ("UPDATE", changed)):
            trigger = f"{schema}.{quote(f'{self.tokens.name}_{when.lower()}')}"
            db.exec_driver_sql(f"CREATE TRIGGER {trigger} AFTER {when} ON {of} FOR EACH ROW {done}")

    def _split(self, quote: Any) -> str:  # noqa: ANN401 (a function of SQLAlchemy's)
        """Return the query for the tokens of a new row. Tokens have no character that JSON would escape."""
        selects = []
        for weight, names in self._columns.items():
            joined = "concat_ws(' ', " + ", ".join(f"nullif(NEW.{quote(name)}, '')" for name in names) + ")"
            array = f"""concat('["', replace({joined}, ' ', '","'), '"]')"""
            rows = f"JSON_TABLE({array}, '$[*]' COLUMNS (token VARCHAR({_TOKEN_LENGTH}) PATH '$')) AS one"
            selects.append(f"SELECT token, {weight}, NEW.seq FROM {rows} WHERE token <> ''")  # noqa: S608 (names of our own)
        return " UNION ".join(selects)

    def has_terms(
        self, terms: Sequence[Sequence[Sequence[str]]], weight: int | None = None
    ) -> ColumnElement[bool]:
        """Return the condition that a row has every term, as `TokenIndex.has_terms` defines it."""
        return and_(
            *(
                or_(
                    false(),
                    *(and_(*(self.has_token(token, weight) for token in tokens)) for tokens in alternatives),
                )
                for alternatives in terms
            )
        )

    def has_token(self, token: str, weight: int | None, *, whole: bool = False) -> ColumnElement[bool]:
        """Return the condition that a row has a token, or a longer one, in columns of this weight or any."""
        found = self.tokens.alias().c
        matches = found.token == token if whole else and_(found.token >= token, found.token < token + _LAST)
        here = select(found.seq).where(matches)
        return self._table.c.seq.in_(here if weight is None else here.where(found.weight == weight))
