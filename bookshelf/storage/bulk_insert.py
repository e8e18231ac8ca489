"""Runs one statement for many rows at little cost for each: SQLite gets multi-row INSERTs."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Connection, Insert, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

#: Rows in one INSERT, the largest number first. SQLite runs all of them in one step, without releasing the
#: interpreter's lock for each row, and writes the full-text index once, not once for each row.
_SIZES = (64, 16, 4)
_DIALECT = sqlite.dialect()

Row = tuple[Any, ...]


class _Plan(NamedTuple):
    text: str
    #: The statements for several rows, by their number of rows.
    many: Mapping[int, str]
    row: Callable[[Mapping[str, Any]], Row]


class _Binds(NamedTuple):
    """How a row becomes parameters: their values in order, fixed values, and conversions of values."""

    take: Callable[[Mapping[str, Any]], Row]
    fixed: Mapping[str, Any]
    changes: Sequence[tuple[int, Callable[[Any], Any]]]

    def of(self, row: Mapping[str, Any]) -> Row:
        taken = self.take({**self.fixed, **row} if self.fixed else row)
        if not self.changes:
            return taken
        values = list(taken)
        for place, change in self.changes:
            values[place] = change(values[place])
        return tuple(values)


def execute(db: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401 (Core's)
    """Run a statement for every row, in order; all have the same columns. Raises `StatementError`."""
    plan = _plan(statement, tuple(rows[0])) if db.dialect.name == _DIALECT.name else None
    if plan is None:
        db.execute(statement, rows)
        return
    try:
        ready = [plan.row(row) for row in rows]
    except KeyError as fault:
        msg = f"a row has no value for {fault}"
        raise StatementError(msg, plan.text, None, fault) from fault
    place = 0
    for size, text in plan.many.items():
        while len(ready) - place >= size:
            db.exec_driver_sql(text, tuple(chain.from_iterable(ready[place : place + size])))
            place += size
    if place < len(ready):
        db.exec_driver_sql(plan.text, ready[place:])


@lru_cache(maxsize=1024)
def _plan(statement: Any, names: tuple[str, ...]) -> _Plan | None:  # noqa: ANN401 (Core's)
    """Compile a statement; None if its text or its values are generated anew at each execution."""
    keys = list(names) if isinstance(statement, Insert) else None
    compiled = statement.compile(dialect=_DIALECT, column_keys=keys)
    binds = compiled.binds
    if compiled.prefetch or compiled.post_compile_params or compiled.literal_execute_params:
        return None
    order, text = tuple(compiled.positiontup), str(compiled)
    head, between, tail = text.partition(f" VALUES ({', '.join('?' * len(order))})")
    values = between.removeprefix(" VALUES ")
    many = {size: f"{head} VALUES {', '.join([values] * size)}{tail}" for size in _SIZES} if values else {}
    fixed = {name: binds[name].effective_value for name in order if not binds[name].required}
    changes = [(n, change) for n, name in enumerate(order) if (change := _change(binds[name])) is not None]
    return _Plan(text, many, _Binds(_getter(order), fixed, changes).of)


def _getter(order: Sequence[str]) -> Callable[[Mapping[str, Any]], Row]:
    if len(order) > 1:
        return itemgetter(*order)
    return lambda row: tuple(row[name] for name in order)


def _change(bind: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 (Core's)
    if isinstance(bind.type, Boolean):
        return None  # the driver stores a bool as 0 or 1 itself
    convert: Callable[[Any], Any] | None = bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    return convert


#: Text that is compared by code points, as in SQLite, and not by the rules of a language.
TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
