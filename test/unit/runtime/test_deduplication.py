"""A record that stands in the log twice counts once, wherever one began to read."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from bookshelf.log.deduplicated import WINDOW, Diverged, open_deduplicated
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import NewRecord, OutOfRange, Record

TOPIC = "shelf"


def read(values: Iterable[str], offset: int = 0, most: int = 7) -> Sequence[tuple[int, str]]:
    """Write values, read from an offset to the end; return offsets and values."""

    async def reading() -> Sequence[tuple[int, str]]:
        log = MemoryLog()
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append([NewRecord("a", value.encode()) for value in values])
        tail = await open_deduplicated(log, TOPIC, 0, offset)
        assert tail.position == offset
        found: list[tuple[int, str]] = []
        while tail.position < await log.end(TOPIC, 0):
            async with asyncio.timeout(30):
                found += [(record.offset, record.value.decode()) for record in await tail.take(most)]
        await tail.close()
        return found

    return asyncio.run(reading())


@pytest.mark.parametrize("most", [1, 2, 100])
def test_a_duplicate_record_is_read_once(most: int) -> None:
    assert read("abbcadd", most=most) == [(0, "a"), (1, "b"), (3, "c"), (5, "d")]


@pytest.mark.parametrize("offset", range(8))
def test_a_reader_that_starts_in_the_middle_skips_the_same_duplicates(offset: int) -> None:
    assert read("abbcadd", offset) == [one for one in read("abbcadd") if one[0] >= offset]


def test_a_duplicate_of_a_duplicate_is_skipped() -> None:
    far = [str(n) for n in range(WINDOW - 1)]
    assert [one for one in read(["x", *far, "x", *far, "x"], most=300) if one[1] == "x"] == [(0, "x")]


def test_an_equal_record_beyond_the_window_is_not_a_duplicate() -> None:
    far = [str(n) for n in range(WINDOW)]
    log = ["x", *far, "x"]
    assert [one for one in read(log, most=300) if one[1] == "x"] == [(0, "x"), (WINDOW + 1, "x")]
    assert read(log, WINDOW) == [(WINDOW, str(WINDOW - 1)), (WINDOW + 1, "x")]


def test_a_long_log_is_deduplicated_in_bounded_memory() -> None:
    many = [str(n % (8 * WINDOW)) for n in range(9 * WINDOW)]
    assert len(read(many, most=500)) == 9 * WINDOW


@pytest.mark.parametrize("offset", [4, 100])
def test_a_missing_offset_is_reported(offset: int) -> None:
    with pytest.raises(OutOfRange):
        read("abc", offset)


async def log_of(values: Iterable[str]) -> MemoryLog:
    log = MemoryLog()
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append([NewRecord("a", value.encode()) for value in values])
    return log


async def mark_at(log: MemoryLog, offset: int) -> str:
    tail = await open_deduplicated(log, TOPIC, 0, 0)
    while tail.position < offset:
        await tail.take(1)
    return tail.mark


@pytest.mark.parametrize("length", [1, 5, WINDOW + 300])
async def test_a_checkpoint_whose_record_is_in_the_log_is_continued(length: int) -> None:
    values = [str(n) for n in range(length)]
    mark = await mark_at(await log_of(values), length)
    tail = await open_deduplicated(await log_of([*values, "next"]), TOPIC, 0, length, mark)
    assert (tail.position, tail.mark) == (length, mark)
    assert [record.value for record in await tail.take(7)] == [b"next"]
    assert (tail.position, tail.mark) == (
        length + 1,
        await mark_at(await log_of([*values, "next"]), length + 1),
    )


@pytest.mark.parametrize("length", [1, 5, WINDOW + 300])
async def test_a_log_that_was_restored_and_extended_is_detected(length: int) -> None:
    values = [str(n) for n in range(length)]
    mark = await mark_at(await log_of([*values[:-1], "lost"]), length)
    for others in (values, [*values, "more"]):
        with pytest.raises(Diverged):
            await open_deduplicated(await log_of(others), TOPIC, 0, length, mark)
    with pytest.raises(OutOfRange):
        await open_deduplicated(await log_of(values[:-1]), TOPIC, 0, length, mark)


async def test_a_checkpoint_without_a_digest_is_accepted_and_gets_one() -> None:
    log = await log_of("abc")
    tail = await open_deduplicated(log, TOPIC, 0, 2)
    assert tail.mark == await mark_at(log, 2)
    assert [record.value for record in await tail.take(7)] == [b"c"]
    with pytest.raises(OutOfRange):
        await open_deduplicated(log, TOPIC, 0, 4)


async def test_a_digest_of_a_record_after_the_checkpoint_is_not_awaited() -> None:
    log = await log_of("abc")
    later = await mark_at(log, 3)
    async with asyncio.timeout(30):
        tail = await open_deduplicated(await log_of("ab"), TOPIC, 0, 2, later)
    assert tail.mark == await mark_at(log, 2)


class MarkersTail:
    """A tail of Kafka whose partition has markers of transactions alone, which are no records."""

    def __init__(self, end: int) -> None:
        self.position, self._end = 0, end

    async def take(self, most: int) -> Sequence[Record]:
        assert most
        if self.position == self._end:
            await asyncio.Event().wait()
        self.position = self._end
        return []

    async def close(self) -> None:
        """End nothing."""


class MarkersLog(MemoryLog):
    """A log with such a partition."""

    async def tail(self, topic: str, partition: int, offset: int) -> Any:  # noqa: ANN401 (of another log)
        assert (topic, partition, offset) == (TOPIC, 0, 0)
        return MarkersTail(9)

    async def end(self, topic: str, partition: int) -> int:
        assert (topic, partition) == (TOPIC, 0)
        return 9


async def test_markers_after_the_checkpoint_are_passed_though_the_comparison_has_read_them() -> None:
    async with asyncio.timeout(10):
        tail = await open_deduplicated(MarkersLog(1), TOPIC, 0, 8)
        assert await tail.take(5) == []
    assert tail.position == 9
