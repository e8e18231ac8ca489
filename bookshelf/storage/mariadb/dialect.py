"""What tables and statements of views are on MariaDB, where they cannot be written as elsewhere.

Loads no driver: the tables of views import it whichever storage is used.
"""

import re
from typing import Any

from sqlalchemy import ClauseElement, Column, Index, Text, UnaryExpression, literal
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.dialects.postgresql.dml import OnConflictDoUpdate
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql import operators

#: Characters of a text that is part of a key: a subject has fewer. Longer values are refused.
KEY_LENGTH = 255
#: Characters of all texts of an index together: InnoDB has keys of up to 3,072 bytes, 4 for a character, and
#: numbers take some of them.
_INDEX_LENGTH = 750
_GIVEN = re.compile(r"`?excluded`?\.(`[^`]+`|\w+)")


class MariaDbText(LONGTEXT):
    """Text of any length; with a limit in keys, which cannot have texts without one."""


@compiles(MariaDbText, "mysql")
def _text(_element: Any, _compiler: Any, type_expression: Any = None, **_options: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    is_key = isinstance(type_expression, Column) and in_key(type_expression)
    return f"VARCHAR({KEY_LENGTH})" if is_key else "LONGTEXT"


def in_key(column: Column[Any]) -> bool:
    """Return True if a column is part of a key that no two rows share."""
    if column.primary_key:
        return True
    return any(index.unique and column.name in index.columns for index in column.table.indexes)


@compiles(CreateIndex, "mysql")
def _create_index(element: Any, compiler: Any, **_options: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    """Index the beginning of each text: an index finds rows, and the rows are compared whole."""
    index: Index = element.element
    quote, columns = compiler.preparer.quote_identifier, list(index.columns)
    whole = [column for column in columns if in_key(column) and isinstance(column.type, Text)]
    cut = [column for column in columns if column not in whole and isinstance(column.type, Text)]
    length = min(KEY_LENGTH, (_INDEX_LENGTH - KEY_LENGTH * len(whole)) // max(1, len(cut)))
    listed = ", ".join(quote(c.name) + (f"({length})" if c in cut else "") for c in columns)
    kind = "UNIQUE INDEX" if index.unique else "INDEX"
    table = compiler.preparer.format_table(index.table, use_schema=True)
    return f"CREATE {kind} {quote(index.name)} ON {table} ({listed})"


@compiles(UnaryExpression, "mysql")
def _unary(element: Any, compiler: Any, **options: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    """Leave out where nulls are sorted, for which MariaDB has no syntax: there they are the least values."""
    if element.modifier is operators.nulls_last_op and element.element.modifier is operators.desc_op:
        element = element.element
    written: str = compiler.visit_unary(element, **options)
    return written


@compiles(OnConflictDoUpdate, "mysql")
def _on_duplicate_key(element: Any, compiler: Any, **options: Any) -> str:  # noqa: ANN401 (SQLAlchemy's)
    """Write an insert-or-update as MariaDB has it: any key may be the one that is there already."""
    table = compiler.current_executable.table
    written = []
    for name, given in dict(element.update_values_to_set).items():
        column = table.c[getattr(name, "name", name)]
        value = given if isinstance(given, ClauseElement) else literal(given, column.type)
        new = compiler.process(value.self_group(), use_schema=False, **options)
        new = _GIVEN.sub(r"VALUES(\1)", new)
        written.append(f"{compiler.preparer.quote_identifier(column.name)} = {new}")
    return "ON DUPLICATE KEY UPDATE " + ", ".join(written)
