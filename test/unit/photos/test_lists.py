"""Pages of a ranked list while its order changes: nothing appears twice, what stays in its place once."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, create_engine, insert, select, update

from bookshelf.cqrs.errors import Invalid
from bookshelf.photos.timelines.lists import Ordered, PagePlace, read_page
from bookshelf.storage.statements import TEXT

RANKED = Table(
    "ranked", MetaData(), Column("id", TEXT, primary_key=True), Column("score", BigInteger, nullable=False)
)
ORDERED = Ordered("ranked", select(RANKED), (RANKED.c.score,), RANKED.c.id, moves=True)
#: New scores between two pages, by the number of the item; more than an item has is passed over.
CHANGES = st.lists(st.dictionaries(st.integers(0, 39), st.integers(-9, 9), max_size=8), max_size=30)


def filled(db: Connection, scores: list[int]) -> None:
    RANKED.metadata.create_all(db)
    rows = [{"id": f"p{number}", "score": score} for number, score in enumerate(scores)]
    if rows:
        db.execute(insert(RANKED), rows)


def walk(db: Connection, rows: int, changes: Iterator[dict[int, int]]) -> Iterator[str]:
    """Yield the ids of all pages; scores change between them."""
    after = None
    while True:
        page = read_page(db, ORDERED, PagePlace(rows, after))
        yield from (row.id for row in page.rows)
        assert len(page.rows) == rows or page.after is None
        if (after := page.after) is None:
            return
        for number, score in next(changes, {}).items():
            db.execute(update(RANKED).where(RANKED.c.id == f"p{number}").values(score=score))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-9, 9), max_size=40), st.integers(1, 12), CHANGES)
def test_a_walk_repeats_nothing_and_misses_nothing_that_stays(
    scores: list[int], rows: int, changes: list[dict[int, int]]
) -> None:
    moved = {f"p{number}" for changed in changes for number in changed}
    engine = create_engine("sqlite://")
    with closing(engine.raw_connection()), engine.connect() as db:
        filled(db, scores)
        seen = list(walk(db, rows, iter(changes)))
    engine.dispose()
    assert len(seen) == len(set(seen))
    assert {f"p{number}" for number in range(len(scores))} - moved <= set(seen)


def test_without_changes_the_pages_are_the_list() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as db:
        filled(db, [3, 1, 2, 3, 2])
        assert list(walk(db, 2, iter(()))) == ["p3", "p0", "p4", "p2", "p1"]
        shifted = read_page(db, ORDERED, PagePlace(2, None, 3))
        assert [row.id for row in shifted.rows] == ["p2", "p1"]
    engine.dispose()


@pytest.mark.parametrize(
    "cursor", ["x", "W10", "WyJyYW5rZWQiLFszXSwicDEiXQ", "WyJyYW5rZWQiLFszLCJAIl0sInAxIl0"]
)
def test_a_malformed_cursor_is_refused(cursor: str) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as db:
        filled(db, [1])
        with pytest.raises(Invalid):
            read_page(db, ORDERED, PagePlace(1, cursor))
    engine.dispose()


def test_a_cursor_of_another_list_is_refused() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as db:
        filled(db, [1, 2])
        page = read_page(db, ORDERED, PagePlace(1), part=" of another day")
        with pytest.raises(Invalid):
            read_page(db, ORDERED, PagePlace(1, page.after))
    engine.dispose()
