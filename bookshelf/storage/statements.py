"""Runs the statements of many records in few calls: equal statements become one batch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table
from sqlalchemy.sql.visitors import iterate

from bookshelf.cqrs.view import DERIVED, Change
from bookshelf.storage.bulk_insert import execute

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
