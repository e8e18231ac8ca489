"""A page after the first one is sought in an index, on each database by the condition that it can use."""

import re
from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, MetaData, Table, event, insert, select
from support.counter_context import EVENTS, TOPIC

from bookshelf.cqrs.view import View
from bookshelf.storage.paging import Sort, list_page
from bookshelf.storage.port import Storage
from bookshelf.storage.statements import TEXT

_TABLES = MetaData()
_ranked = Table(
    "ranked",
    _TABLES,
    Column("id", TEXT, primary_key=True),
    Column("score", Integer, nullable=False),
    Column("added", Integer, nullable=False),
)
Index("ranked_by_score", _ranked.c.score, _ranked.c.added, _ranked.c.id)
_VIEW = View(name="ranked", topic=TOPIC, catalogue=EVENTS, tables=_TABLES, handlers={})
_ROWS = 3_000
_SORT = Sort((_ranked.c.score, _ranked.c.added), (int, int))


def _fill(db: Connection) -> None:
    rows = [{"id": f"r-{number:05}", "score": number // 100, "added": number % 7} for number in range(_ROWS)]
    db.execute(insert(_ranked), rows)


def _page(db: Connection, after: str | None) -> tuple[list[str], str | None]:
    found = list_page(
        db,
        select(_ranked.c.id),
        _ranked.c.id,
        order="-score",
        sort=_SORT,
        limit=10,
        after=after,
        render=lambda row: row.id,
    )
    return [bytes(item).decode() for item in found.items], found.after


def _plan(db: Connection, after: str) -> tuple[str, list[str]]:
    """Return the dialect, and the plan of the statement that reads the page after a cursor."""
    asked: list[tuple[str, Any]] = []

    def note(_db: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:  # noqa: ANN401 (SQLAlchemy's)
        asked.append((statement, parameters))

    event.listen(db, "before_cursor_execute", note)
    _page(db, after)
    event.remove(db, "before_cursor_execute", note)
    [(statement, parameters)] = asked
    explain = "EXPLAIN QUERY PLAN " if db.dialect.name == "sqlite" else "EXPLAIN "
    rows = db.exec_driver_sql(explain + statement, parameters)
    return db.dialect.name, [" ".join(str(value) for value in row) for row in rows]


async def test_the_second_page_is_read_from_its_place_in_the_index(storage: Storage) -> None:
    tables = await storage.live(_VIEW, "log/ranked")
    await tables.write(_fill)
    await tables.index()
    _, after = await tables.read(lambda db: _page(db, None))
    assert after is not None
    dialect, plan = await tables.read(lambda db: _plan(db, after))
    text = "\n".join(plan)
    match dialect:
        case "sqlite":
            assert "SEARCH" in text, text
            assert "ranked_by_score ((score,added,id)<(?,?,?))" in text, text
            assert "TEMP B-TREE" not in text, text
        case "postgresql":
            assert "Index Cond: (ROW(score, added, id) <" in text, text
            assert "Sort" not in text, text
        case "mysql":
            assert re.search(r" range \S+ ranked_by_score ", text), text
            assert "filesort" not in text, text


async def test_the_pages_have_every_row_once_in_order(storage: Storage) -> None:
    tables = await storage.live(_VIEW, "log/ranked")
    await tables.write(_fill)
    found: list[str] = []
    after: str | None = None
    while True:
        items, after = await tables.read(lambda db, after=after: _page(db, after))  # type: ignore[misc]
        found += items
        if after is None or len(found) >= 200:
            break
    expected = sorted(
        range(_ROWS), key=lambda number: (number // 100, number % 7, f"{number:05}"), reverse=True
    )
    assert found == [f'"r-{number:05}"' for number in expected[: len(found)]]
