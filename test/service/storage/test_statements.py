"""Statements of many records in few calls: the rows are those of one statement after the other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)

from bookshelf.cqrs.view import DERIVED, Change
from bookshelf.storage.statements import run

META = MetaData()
BOOKS = Table(
    "books",
    META,
    Column("id", String, primary_key=True),
    Column("title", String),
    Column("total", Integer),
    Column("version", Integer),
)
NOTES = Table("notes", META, Column("book", String), Column("pages", Integer))
COPIES = Table("copies", META, Column("book", String), Column("title", String))
ADD = insert(BOOKS)
RENAME = update(BOOKS).where(BOOKS.c.id == bindparam("row"))
RENAME = RENAME.values(title=bindparam("name"), version=bindparam("at"))
NOTE = insert(NOTES)
RAISE = update(NOTES).where(NOTES.c.book == bindparam("row")).values(pages=NOTES.c.pages + 1)
CLEAR = delete(NOTES).where(NOTES.c.book == bindparam("row"))
SUM = select(func.sum(NOTES.c.pages)).where(NOTES.c.book == BOOKS.c.id).scalar_subquery()
DERIVE = update(BOOKS).where(BOOKS.c.id == bindparam("row")).values(total=SUM, version=bindparam("at"))
DERIVE = DERIVE.execution_options(**{DERIVED: True})
OF_BOOK = select(BOOKS.c.title).where(BOOKS.c.id == bindparam("row")).scalar_subquery()
COPY = insert(COPIES).values(title=OF_BOOK)

KEYS = st.sampled_from(["a", "b", "c"])
ACTIONS = st.sampled_from(["rename", "note", "raise", "clear", "copy"])
Recorded = tuple[str | None, Sequence[Change]]


def changes(key: str, action: str, at: int) -> Sequence[Change]:
    derive = (DERIVE, {"row": key, "at": at})
    made: Mapping[str, Sequence[Change]] = {
        "rename": [(RENAME, {"row": key, "name": f"{key}{at}", "at": at})],
        "note": [(NOTE, {"book": key, "pages": at}), derive],
        "raise": [(RAISE, {"row": key}), derive],
        "clear": [(CLEAR, {"row": key}), derive],
        "copy": [(COPY, {"book": key, "row": key})],
    }
    return made[action]


ADDED: Sequence[Recorded] = [
    (key, [(ADD, {"id": key, "title": key, "total": None, "version": 0})]) for key in "abc"
]


def rows(records: Sequence[Recorded], *, together: bool) -> Any:  # noqa: ANN401 (compared only)
    with connection() as db:
        for batch in [records] if together else [[record] for record in records]:
            run(db, batch)
        tables = {table.name: db.execute(select(table)).all() for table in (BOOKS, NOTES, COPIES)}
    return {name: sorted(found, key=lambda row: row[0]) for name, found in tables.items()}


def connection() -> Connection:
    db = create_engine("sqlite://").connect()
    META.create_all(db)
    return db


@given(st.lists(st.tuples(KEYS, ACTIONS), max_size=20))
def test_the_rows_are_those_of_one_record_after_the_other(actions: Sequence[tuple[str, str]]) -> None:
    records: list[Recorded] = [(key, changes(key, action, at)) for at, (key, action) in enumerate(actions)]
    assert rows([*ADDED, *records], together=True) == rows([*ADDED, *records], together=False)


def test_records_without_a_key_are_applied_in_order() -> None:
    records: list[Recorded] = [(None, changes(key, action, at)) for at, (key, action) in enumerate(MIXED)]
    added: list[Recorded] = [(None, of_key) for _, of_key in ADDED]
    assert rows([*added, *records], together=True) == rows([*added, *records], together=False)


MIXED = [("a", "note"), ("b", "note"), ("a", "raise"), ("a", "rename"), ("b", "clear"), ("a", "copy")]


@pytest.fixture
def ran() -> Iterator[list[str]]:
    """The statements that ran, with the number of rows of each."""
    made: list[str] = []
    with connection() as db:
        db.info["made"] = made

        @event.listens_for(db, "before_cursor_execute")
        def _(_c: Any, _cursor: Any, text: str, rows: Any, _context: Any, many: bool) -> None:  # noqa: ANN401, FBT001
            made.append(f"{text[:6]} {len(rows) if many else 1}")

        run(db, [*ADDED, *((key, changes(key, "note", at)) for at in (1, 2) for key in "abc")])
        yield made


def test_equal_statements_of_different_keys_are_one_batch_and_columns_are_derived_once(
    ran: list[str],
) -> None:
    assert ran == ["INSERT 3", "INSERT 1", "INSERT 2", "UPDATE 3"]
