"""A further record, or a drop, costs the same however many dead letters its key has.

What is counted are steps of SQLite's virtual machine: they depend on no clock.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection
from support.counter_context import TOPIC, VIEW, counted, said, sums

from bookshelf.cqrs.envelope import DROPPED
from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.view.apply import Batch, apply
from bookshelf.storage import checkpoints
from bookshelf.storage.table_files import SqliteTables, engine

_EVERY = 100
FEW, MANY = 300, 4000
POISON = NewRecord("a", b"no event")


@contextmanager
def with_dead_letters(path: Path, count: int) -> Iterator[Connection]:
    """A view's rows with so many dead letters of one key, the first of which cannot be read."""
    tables = SqliteTables(path, None, None)
    tables.create(VIEW, "log")
    tables.dispose()
    writing = engine(path, "BEGIN IMMEDIATE", pool_size=1)
    with writing.begin() as db:
        follow(db, 0, [POISON] * (count // 2) + [counted("a")] * (count - count // 2))
        yield db
    writing.dispose()


def follow(db: Connection, offset: int, records: Sequence[NewRecord], size: int = 500) -> None:
    """Apply records in batches, as a follower does."""
    for begin in range(0, len(records), size):
        old = offset + begin
        batch = [
            Record(TOPIC, 0, old + at, record.key, record.value)
            for at, record in enumerate(records[begin : begin + size])
        ]
        apply(db, VIEW, batch, (0, old, old + len(batch), ""))


def count_steps(db: Connection, records: Sequence[NewRecord], offset: int) -> int:
    """Apply records one at a time; return how much SQLite had to do."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    driver = db.connection.driver_connection
    assert driver is not None
    driver.set_progress_handler(step, _EVERY)
    follow(db, offset, records, size=1)
    driver.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize("what", ["more of the key", "others", "drops"])
def test_work_does_not_grow_with_the_number_of_dead_letters(tmp_path: Path, what: str) -> None:
    steps = []
    for count in (FEW, MANY):
        records = {
            "more of the key": [counted("a")] * 100,
            "others": [counted(f"b{number}") for number in range(100)],
            "drops": [said(DROPPED, "a", b'{"offset": %d}' % offset) for offset in range(100)],
        }[what]
        with with_dead_letters(tmp_path / f"{count}.sqlite", count) as db:
            steps.append(count_steps(db, records, count))
    assert steps[1] < 3 * steps[0], steps


def test_one_retry_applies_many_held_back_records_in_order(tmp_path: Path) -> None:
    with with_dead_letters(tmp_path / "rows.sqlite", MANY) as db:
        drops = [said(DROPPED, "a", b'{"offset": %d}' % offset) for offset in range(MANY // 2 - 1)]
        follow(db, MANY, drops)
        assert checkpoints.count_dead_letters(db) == MANY - MANY // 2 + 1
        assert Batch(db, VIEW).resume(TOPIC, "a") == 0
        follow(db, MANY + len(drops), [said(DROPPED, "a", b'{"offset": %d}' % (MANY // 2 - 1))])
        assert checkpoints.count_dead_letters(db) == 0
        assert sums(db) == {"a": MANY - MANY // 2}
