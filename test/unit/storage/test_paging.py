"""The items of a page: as many as asked for, fewer if their bytes are enough, one at least."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, create_engine, insert, select

from bookshelf.storage.paging import take_items

ROWS = 100
numbers = Table("numbers", MetaData(), Column("number", Integer, primary_key=True))


@pytest.fixture
def db() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        numbers.create(connection)
        connection.execute(insert(numbers), [{"number": n} for n in range(10, 10 + ROWS)])
        yield connection
    engine.dispose()


def render(row: Any) -> int:  # noqa: ANN401 (a row)
    return int(row.number)


@pytest.mark.parametrize(
    ("limit", "most_bytes", "count"),
    [(5, 1000, 5), (99, 1000, 99), (100, 1000, 100), (100, 20, 10), (100, 19, 10), (100, 1, 1)],
)
def test_a_page_has_as_many_items_as_fit(db: Connection, limit: int, most_bytes: int, count: int) -> None:
    items, last = take_items(db, select(numbers).order_by("number"), limit, render, most_bytes)
    assert [int(bytes(item)) for item in items] == list(range(10, 10 + count))
    assert (last and last.number) == (9 + count if count < ROWS else None)
