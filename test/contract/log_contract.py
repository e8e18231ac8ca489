"""The contract of every log: records, writers and tails. Groups have their own contract."""

import asyncio
from collections.abc import Sequence

import pytest

from bookshelf.log.deduplicated import Diverged, open_deduplicated
from bookshelf.log.port import Fenced, Log, LogFault, NewRecord, OutOfRange, Record, Tail

TOPIC = "bookshelf"
#: Every log under test is made with this many partitions.
PARTITIONS = 3
#: More than twice what an adapter keeps of a partition in memory (bookshelf/log/sqlite/log.py).
MANY = 2 * 4096 + 1000


def records(*keys: str) -> list[NewRecord]:
    return [NewRecord(key, f'"{key}"'.encode()) for key in keys]


async def write(log: Log, *keys: str, partition: int = 0, name: str = "newbook") -> Sequence[int]:
    writer = await log.writer(name, TOPIC, partition)
    return await writer.append(records(*keys))


async def read(tail: Tail, count: int) -> list[Record]:
    """Return the next `count` records, however many each take gives."""
    found: list[Record] = []
    while len(found) < count:
        found += await tail.take(count - len(found))
    return found


async def everything(log: Log, topic: str = TOPIC, partition: int = 0) -> list[Record]:
    """Return all that is in a partition, and was acknowledged before."""
    found: list[Record] = []
    tail, end = await log.tail(topic, partition, 0), await log.end(topic, partition)
    async with asyncio.timeout(30):
        while tail.position < end:
            found += await tail.take(500)
    return found


async def keys(log: Log, count: int, offset: int = 0, partition: int = 0) -> list[str]:
    return [record.key for record in await read(await log.tail(TOPIC, partition, offset), count)]


class LogContract:
    """Inherit, and give a fixture `log` with PARTITIONS partitions."""

    async def test_a_new_log_is_empty_and_has_its_partitions(self, log: Log) -> None:
        assert log.partitions(TOPIC) == PARTITIONS
        assert [await log.end(TOPIC, p) for p in range(PARTITIONS)] == [0, 0, 0]

    async def test_a_topic_of_the_log_is_found(self, log: Log) -> None:
        assert await log.look_up(TOPIC)

    async def test_an_append_returns_growing_offsets(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        first = await writer.append(records("a", "b"))
        second = await writer.append(records("c"))
        assert sorted([*first, *second]) == [*first, *second]
        assert await log.end(TOPIC, 0) > second[-1]

    async def test_records_are_read_in_order_with_their_offsets(self, log: Log) -> None:
        offsets = await write(log, "a", "b", "c")
        found = await read(await log.tail(TOPIC, 0, 0), 3)
        assert found == [
            Record(TOPIC, 0, n, k, f'"{k}"'.encode()) for n, k in zip(offsets, "abc", strict=True)
        ]

    async def test_a_tail_begins_at_its_offset_also_at_the_end(self, log: Log) -> None:
        offsets = await write(log, "a", "b", "c")
        assert await keys(log, 1, offsets[2]) == ["c"]
        tail = await log.tail(TOPIC, 0, await log.end(TOPIC, 0))
        await write(log, "d")
        assert [record.key for record in await read(tail, 1)] == ["d"]

    async def test_a_take_returns_at_most_its_limit_and_moves_the_position(self, log: Log) -> None:
        offsets = await write(log, "a", "b", "c")
        tail = await log.tail(TOPIC, 0, 0)
        assert tail.position == 0
        assert [record.key for record in await tail.take(2)] == ["a", "b"]
        assert tail.position == offsets[1] + 1
        assert [record.key for record in await tail.take(2)] == ["c"]

    async def test_a_waiting_take_is_woken_by_the_next_record(self, log: Log) -> None:
        tail = await log.tail(TOPIC, 0, 0)
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(read(tail, 1))
            other = tasks.create_task(read(await log.tail(TOPIC, 0, 0), 1))
            await write(log, "a")
        assert [record.key for record in taking.result() + other.result()] == ["a", "a"]

    async def test_a_cancelled_take_loses_no_record(self, log: Log) -> None:
        tail = await log.tail(TOPIC, 0, 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await tail.take(10)
        await write(log, "a")
        assert [record.key for record in await read(tail, 1)] == ["a"]

    @pytest.mark.parametrize("offset", [-1, 30])
    async def test_an_offset_outside_the_log_is_reported(self, log: Log, offset: int) -> None:
        await write(log, "a", "b")
        with pytest.raises(OutOfRange, match="nothing can be read"):
            await log.tail(TOPIC, 0, offset)

    async def test_partitions_and_topics_are_independent(self, log: Log) -> None:
        await write(log, "a", partition=0)
        await write(log, "b", "c", partition=2)
        elsewhere = await log.writer("newbook", "accounts", 0)
        await elsewhere.append(records("d"))
        assert await keys(log, 1, partition=0) == ["a"]
        assert await keys(log, 2, partition=2) == ["b", "c"]
        assert await log.end(TOPIC, 1) == 0
        assert [record.key for record in await everything(log, "accounts")] == ["d"]

    async def test_concurrent_appends_are_atomic(self, log: Log) -> None:
        writers = [await log.writer(f"service-{n}", TOPIC, 0) for n in range(8)]
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            for n, writer in enumerate(writers):
                tasks.create_task(writer.append(records(*[f"{n}"] * 5)))
        found = await keys(log, 40)
        runs = [found[start : start + 5] for start in range(0, 40, 5)]
        assert all(len(set(run)) == 1 for run in runs)
        assert {run[0] for run in runs} == {str(n) for n in range(8)}

    async def test_a_writers_own_appends_keep_their_order(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            for n in range(50):
                tasks.create_task(writer.append(records(str(n))))
        assert await keys(log, 50) == [str(n) for n in range(50)]

    async def test_a_second_writer_of_a_name_fences_the_first(self, log: Log) -> None:
        first = await log.writer("newbook", TOPIC, 0)
        await first.append(records("a"))
        second = await log.writer("newbook", TOPIC, 0)
        with pytest.raises(Fenced):
            await first.append(records("zombie"))
        await second.append(records("b"))
        assert [record.key for record in await everything(log)] == ["a", "b"]

    async def test_a_fence_is_for_one_name_and_one_partition(self, log: Log) -> None:
        newbook = await log.writer("newbook", TOPIC, 0)
        readbook = await log.writer("readbook", TOPIC, 0)
        next_door = await log.writer("newbook", TOPIC, 1)
        for writer in (newbook, readbook, next_door):
            await writer.append(records("a"))
        assert [len(await everything(log, partition=p)) for p in range(2)] == [2, 1]

    async def test_an_append_of_a_former_writer_is_decided_once_the_next_is_open(self, log: Log) -> None:
        first = await log.writer("newbook", TOPIC, 0)
        under_way = [asyncio.ensure_future(first.append(records("a"))) for _ in range(50)]
        await asyncio.sleep(0)  # sleep: they are on their way
        await log.writer("newbook", TOPIC, 0)
        found = await everything(log)
        outcomes = await asyncio.gather(*under_way, return_exceptions=True)
        assert await everything(log) == found
        assert sum(not isinstance(outcome, LogFault) for outcome in outcomes) == len(found)

    async def test_an_append_of_nothing_writes_nothing(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append(records("a"))
        await keys(log, 1)  # reading it passes the markers of earlier transactions
        end = await log.end(TOPIC, 0)
        assert list(await writer.append([])) == []
        assert await log.end(TOPIC, 0) == end

    @pytest.mark.parametrize("key", ["", "ключ", "🦊", "a\x00b", "ﷺ" * 100, "'; DROP TABLE record; --", "\n"])
    async def test_any_text_may_be_a_key(self, log: Log, key: str) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append([NewRecord(key, b"{}")])
        assert await keys(log, 1) == [key]

    @pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)), b"x" * 3_000_000])
    async def test_any_bytes_may_be_a_value(self, log: Log, value: bytes) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append([NewRecord("a", value)])
        [found] = await read(await log.tail(TOPIC, 0, 0), 1)
        assert found.value == value

    async def test_a_tail_reads_from_the_beginning_of_a_long_log(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        behind = await log.tail(TOPIC, 0, 0)
        offsets: list[int] = []
        for start in range(0, MANY, 500):
            offsets += await writer.append(records(*[str(n) for n in range(start, min(start + 500, MANY))]))
        async with asyncio.timeout(30):
            assert [r.key for r in await read(behind, MANY)] == [str(n) for n in range(MANY)]
            assert await keys(log, 3, offsets[-3]) == [str(n) for n in range(MANY - 3, MANY)]
            await writer.append(records("newest"))
            assert [r.key for r in await read(behind, 1)] == ["newest"]

    async def test_a_take_is_bounded_in_bytes(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        for _ in range(12):
            await writer.append([NewRecord("a", b"x" * (1 << 20))])
        tail = await log.tail(TOPIC, 0, 0)
        sizes: list[int] = []
        async with asyncio.timeout(60):
            while sum(sizes) < 12:
                sizes.append(len(await tail.take(500)))
        assert max(sizes) <= 5

    async def test_a_checkpoint_is_compared_with_the_record_before_it(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        for key in "abc":
            await writer.append(records(key))
        checkpoint = await open_deduplicated(log, TOPIC, 0, 0)
        seen: list[str] = []
        async with asyncio.timeout(30):
            while len(seen) < 3:
                seen += [record.key for record in await checkpoint.take(10)]
            at, mark = checkpoint.position, checkpoint.mark
            with pytest.raises(Diverged):
                await open_deduplicated(log, TOPIC, 0, at, mark[:-1] + ("1" if mark[-1] == "0" else "0"))
            await writer.append(records("d"))
            tail = await open_deduplicated(log, TOPIC, 0, at, mark)
            assert (tail.position, tail.mark) == (at, mark)
            without_mark = await open_deduplicated(log, TOPIC, 0, at)
            assert without_mark.mark == mark
            while not (found := await tail.take(10)):
                pass
            assert [record.key for record in found] == ["d"]
