"""Runs the statements of many records in few calls: equal statements become one batch.

One statement for many rows costs little for each: SQLite gets multi-row INSERTs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Connection, Insert, LargeBinary, Table, Text
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.sql.visitors import iterate

from bookshelf.cqrs.view import DERIVED, Change
from bookshelf.storage.mariadb.dialect import MariaDbText

#: Rows in one INSERT, the largest number first. SQLite runs all of them in one step, without releasing the
#: interpreter's lock for each row, and writes the full-text index once, not once for each row.
_SIZES = (64, 16, 4)
_DIALECT = sqlite.dialect()

Row = tuple[Any, ...]


class _InsertPlan(NamedTuple):
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
    plan = _insert_plan(statement, tuple(rows[0])) if db.dialect.name == _DIALECT.name else None
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
def _insert_plan(statement: Any, names: tuple[str, ...]) -> _InsertPlan | None:  # noqa: ANN401 (Core's)
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
    return _InsertPlan(text, many, _Binds(_getter(order), fixed, changes).of)


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
TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql").with_variant(MariaDbText(), "mysql")
#: Bytes of any number.
BYTES = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")


Rows = list[Mapping[str, Any] | None]
#: For each key a number of a stage.
Stages = dict[str | None, int]


class _Tables(NamedTuple):
    """The table that a statement changes, the others that it reads, and whether it only derives columns."""

    own: Any
    read: tuple[Any, ...]
    derives: bool


class _Use(NamedTuple):
    """The stages of one statement with their rows, and the stages that its place depends on."""

    stages: dict[int, Rows]
    #: The last stages that changed its table, those that read it, and those that changed what it reads.
    changed: Stages
    read: Stages
    sources: Sequence[Stages]
    #: Where its table is noted as read: derived columns do not count, because they are derived again.
    readings: Sequence[Stages]
    #: Where the columns of a key were derived last, if it derives some.
    derived: dict[str | None, tuple[Rows, int]] | None


class _Plan:
    """Statements in the order in which they run, each with the values of all its rows."""

    def __init__(self) -> None:
        self.stages: list[tuple[Any, Rows]] = []
        self._uses: dict[Any, _Use] = {}
        self._changed: defaultdict[Any, Stages] = defaultdict(dict)
        self._read: defaultdict[Any, Stages] = defaultdict(dict)

    def add(self, key: str | None, changes: Iterable[Change]) -> None:
        """Add changes of the rows of a key: each after all earlier ones of the key that it depends on."""
        for statement, values in changes:
            use = self._uses.get(statement) or self._use(statement, keyed=key is not None)
            first = max(use.changed.get(key, 0), use.read.get(key, 0))
            for source in use.sources:
                first = max(first, source.get(key, 0))
            stage = next((stage for stage in use.stages if stage >= first), None)
            if stage is None:
                stage = len(self.stages)
                use.stages[stage] = []
                self.stages.append((statement, use.stages[stage]))
            use.changed[key] = stage
            for reading in use.readings:
                reading[key] = stage
            rows = use.stages[stage]
            if use.derived is not None:
                former, place = use.derived.get(key, (None, 0))
                if former is not None:
                    former[place] = None
                use.derived[key] = rows, len(rows)
            rows.append(values)

    def _use(self, statement: Any, *, keyed: bool) -> _Use:  # noqa: ANN401 (Core's)
        own, read, derives = _tables(statement)
        derives = derives and keyed
        use = self._uses[statement] = _Use(
            stages={},
            changed=self._changed[own],
            read=self._read[own],
            sources=[self._changed[table] for table in read],
            readings=[] if derives else [self._read[table] for table in read],
            derived={} if derives else None,
        )
        return use


def run(db: Connection, changes: Iterable[tuple[str | None, Iterable[Change]]]) -> None:
    """Run the statements of each key: those on one table in order, and after all that they read.

    Statements of one key on different tables, and those of different keys, can be reordered: they must not
    depend on each other. A derived statement runs once for its key. Key None is that of all records of a view
    whose records depend on each other.
    """
    plan = _Plan()
    for key, of_key in changes:
        plan.add(key, of_key)
    for statement, rows in plan.stages:
        if present := [row for row in rows if row is not None]:
            execute(db, statement, present)


@lru_cache(maxsize=1024)
def _tables(statement: Any) -> _Tables:  # noqa: ANN401 (Core's)
    named = (part for part in iterate(statement) if isinstance(part, Table))
    read = tuple({table for table in named if table is not statement.table})
    return _Tables(statement.table, read, bool(statement.get_execution_options().get(DERIVED)))
