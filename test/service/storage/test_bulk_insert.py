"""Many rows in one statement: what one statement a row would do, also at the edges of its sizes."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, StatementError

from bookshelf.storage.statements import execute

META = MetaData()
BOOKS = Table(
    "books",
    META,
    Column("id", Integer, primary_key=True),
    Column("title", String),
    Column("finished", Date),
    Column("tags", JSON),
    Column("owned", Boolean),
)
ADD = insert(BOOKS)
PUT = sqlite.insert(BOOKS).values(id=bindparam("id"), title=bindparam("title"))
PUT = PUT.on_conflict_do_update(index_elements=["id"], set_={"title": PUT.excluded.title})
ADD_OWNED = insert(BOOKS).values(id=bindparam("id"), owned=True)
DROP = delete(BOOKS).where(BOOKS.c.id.in_(bindparam("ids", expanding=True)))
RENAME = update(BOOKS).where(BOOKS.c.id == bindparam("at")).values(title=bindparam("name"))
ROW = st.fixed_dictionaries(
    {
        "title": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        "finished": st.none() | st.dates(),
        "tags": st.lists(st.text("ab'\"%:?", max_size=3), max_size=2),
        "owned": st.none() | st.booleans(),
    }
)


@pytest.fixture
def db() -> Iterator[Connection]:
    with connection() as made:
        yield made


def connection() -> Connection:
    engine = create_engine("sqlite://")
    META.create_all(engine)
    return engine.connect()


def rows(db: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(select(BOOKS).order_by(BOOKS.c.id)).mappings()]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 16, 63, 64, 65, 150])
def test_every_row_arrives_whatever_their_number(db: Connection, count: int) -> None:
    execute(db, ADD, [{"id": n, "title": f"Book {n}"} for n in range(count)])
    assert [row["title"] for row in rows(db)] == [f"Book {n}" for n in range(count)]


@given(st.lists(ROW, min_size=1, max_size=80))
def test_rows_are_what_one_statement_each_makes_them(made: list[dict[str, Any]]) -> None:
    numbered = [{"id": n, **row} for n, row in enumerate(made)]
    with connection() as db, connection() as plain:
        execute(db, ADD, numbered)
        plain.execute(ADD, numbered)
        assert rows(db) == rows(plain)


def test_a_later_row_of_a_key_wins(db: Connection) -> None:
    execute(db, PUT, [{"id": n % 7, "title": f"{n}"} for n in range(100)])
    assert [row["title"] for row in rows(db)] == ["98", "99", "93", "94", "95", "96", "97"]


def test_updates_are_run_in_order(db: Connection) -> None:
    execute(db, ADD, [{"id": n, "title": "x"} for n in range(3)])
    execute(db, RENAME, [{"at": n % 3, "name": f"{n}"} for n in range(20)])
    assert [row["title"] for row in rows(db)] == ["18", "19", "17"]


def test_a_row_without_a_value_is_reported_before_any_row_is_written(db: Connection) -> None:
    with pytest.raises(StatementError, match="no value for 'title'"):
        execute(db, ADD, [*({"id": n, "title": "x"} for n in range(70)), {"id": 70}])
    assert rows(db) == []


def test_a_violated_constraint_raises_the_usual_error(db: Connection) -> None:
    with pytest.raises(IntegrityError):
        execute(db, ADD, [{"id": n % 10, "title": "x"} for n in range(20)])


def test_values_in_the_statement_itself_are_kept(db: Connection) -> None:
    execute(db, ADD_OWNED, [{"id": n} for n in range(20)])
    assert [row["owned"] for row in rows(db)] == [True] * 20


def test_statements_that_differ_with_each_row_are_run_one_by_one(db: Connection) -> None:
    execute(db, ADD, [{"id": n} for n in range(9)])
    execute(db, DROP, [{"ids": [0, 1, 2, 3, 4, 5, 6]}])
    assert [row["id"] for row in rows(db)] == [7, 8]
