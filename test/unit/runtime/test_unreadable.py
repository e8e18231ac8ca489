"""The unreadable records of an aggregate: each is recorded and dropped at the same cost."""

import gc
from collections.abc import Iterable, Iterator
from sys import getsizeof
from typing import Any

import msgspec
from support.counter_context import TALLY, Tally, said

from bookshelf.cqrs.envelope import DROPPED
from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, SnapshotFold, memory_of, remove_offset

FOLD = SnapshotFold(TALLY)


def snapshots(records: Iterable[NewRecord]) -> Iterator[AggregateSnapshot[Any]]:
    """Yield the aggregate after each record."""
    held: AggregateSnapshot[Any] = FOLD.empty
    for offset, new in enumerate(records):
        held, _ = FOLD.apply(held, Record("tallies", 0, offset, new.key, new.value))
        yield held


def records(unreadable: int, dropped: Iterable[int]) -> Iterator[NewRecord]:
    yield from [NewRecord("a", b"\xff")] * unreadable
    for offset in dropped:
        yield said(DROPPED, "a", msgspec.json.encode({"offset": offset}))


def scattered(count: int) -> list[int]:
    return [number * 7919 % count for number in range(count)]  # a prime: each offset once


def copied_bytes(unreadable: int, dropped: Iterable[int]) -> int:
    """Return the bytes of all snapshots' records of faults, what they share counted once: what was copied."""
    every = list(snapshots(records(unreadable, dropped)))
    found: dict[int, object] = {}
    waiting: list[object] = [held.faults for held in every]
    while waiting:
        value = waiting.pop()
        if isinstance(value, tuple | msgspec.Struct) and id(value) not in found:
            found[id(value)] = value
            waiting.extend(gc.get_referents(value))
    return sum(map(getsizeof, found.values()))


def test_recording_and_dropping_unreadable_records_costs_the_same_for_each() -> None:
    few, many = 2000, 8000
    assert copied_bytes(many, ()) < 5 * copied_bytes(few, ())
    assert copied_bytes(many, range(many)) < 5 * copied_bytes(few, range(few))
    assert copied_bytes(many, scattered(many)) < 5 * copied_bytes(few, scattered(few))


def test_unreadable_records_are_dropped_one_by_one_in_any_order_and_the_first_left_is_known() -> None:
    count = 3000
    left, order = set(range(count)), scattered(count)
    *_, held = snapshots(records(count, ()))
    most = memory_of(held)
    for now, held in enumerate(snapshots(records(count, order)), 1 - count):
        if now <= 0:
            continue
        left.remove(order[now - 1])
        assert (held.faults is None) == (not left)
        if held.faults is not None and now % 100 == 0:
            assert held.faults.first == min(left)
            assert memory_of(held) < most
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(held), type=AggregateSnapshot[Tally]) == held
    assert held == FOLD.empty


def test_dropping_what_is_not_unreadable_changes_nothing() -> None:
    *_, before = snapshots(records(100, [50]))
    *_, after = snapshots(records(100, [50, 50, 1000, -1]))
    assert after == before


def test_records_that_become_unreadable_after_drops_are_recorded() -> None:
    *_, held = snapshots([*records(2000, range(2000)), *records(2000, range(4000, 5999))])
    assert held.faults is not None
    assert held.faults.first == 5999
    assert msgspec.structs.replace(held, faults=remove_offset(held.faults, 5999)) == FOLD.empty
