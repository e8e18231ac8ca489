"""A new SQLite table set gets its indexes once its rows are there; a set that has some keeps them."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Index, Integer, MetaData, String, Table, insert, text
from support.counter_context import VIEW

from bookshelf.cqrs.view import View
from bookshelf.storage import statements
from bookshelf.storage.fulltext import TokenIndex
from bookshelf.storage.port import TableSet
from bookshelf.storage.sqlite import SqliteStorage

TABLES = MetaData()
TEXTS = Table(
    "texts",
    TABLES,
    Column("seq", Integer, primary_key=True),
    Column("id", String, unique=True),
    Column("words", String),
)
Index("texts_by_words", TEXTS.c.words)
Index("texts_once", TEXTS.c.id, TEXTS.c.words, unique=True)
INDEX = TokenIndex(TEXTS, {"words": 1})
OF_TEXTS = View(name="texts", topic=VIEW.topic, catalogue=VIEW.catalogue, tables=TABLES, handlers={})
DEFERRED = {"texts_by_words", "texts_words_added", "texts_words_changed", "texts_words_removed"}


async def add(tables: TableSet, text_id: str, words: str) -> None:
    change = (insert(TEXTS), {"id": text_id, "words": words})
    await tables.write(lambda db: statements.run(db, [(text_id, [change])]))


def names(db: Any) -> set[str]:  # noqa: ANN401 (a connection)
    query = "SELECT name FROM sqlite_master WHERE type IN ('index', 'trigger') AND tbl_name = 'texts'"
    return set(db.scalars(text(f"{query} AND sql <> ''")))


def found(db: Any) -> set[str]:  # noqa: ANN401 (a connection)
    return set(db.scalars(TEXTS.select().with_only_columns(TEXTS.c.id).where(INDEX.has_terms(db, [[["a"]]]))))


@pytest.fixture
async def storage(tmp_path: Path) -> Any:  # noqa: ANN401 (a generator)
    made = SqliteStorage(tmp_path)
    yield made
    await made.close()


async def test_indexes_but_unique_ones_are_created_after_the_rows(storage: SqliteStorage) -> None:
    tables = await storage.live(OF_TEXTS, "log/texts")
    await add(tables, "1", "a b")
    assert await tables.read(names) == {"texts_once"}
    await tables.index()
    assert await tables.read(names) == {"texts_once", *DEFERRED}
    assert await tables.read(found) == {"1"}
    await add(tables, "2", "a c")
    await tables.index()
    assert await tables.read(found) == {"1", "2"}
    await tables.close()


async def test_a_set_whose_fill_was_interrupted_gets_its_indexes_later(storage: SqliteStorage) -> None:
    tables = await storage.live(OF_TEXTS, "log/texts")
    await add(tables, "1", "a b")
    await tables.close()
    again = await storage.live(OF_TEXTS, "log/texts")
    await add(again, "2", "a")
    await again.index()
    assert (await again.read(found), await again.read(names)) == ({"1", "2"}, {"texts_once", *DEFERRED})
    await again.close()
