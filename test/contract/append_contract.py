"""What every log does with an append of more than a writer's own records: replies, and what was consumed."""

import pytest
from contract.log_contract import PARTITIONS, TOPIC, everything, records, write

from bookshelf.log.port import Consumed, Fenced, Log, NewRecord, partition_of

#: The other topic that every log under test has.
ELSEWHERE = "accounts"
COMMANDS = "accounts"


class AppendContract:
    """Inherit, and give a fixture `log` with PARTITIONS partitions, also of ELSEWHERE."""

    async def test_an_append_may_write_to_another_topic(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 1)
        first, reply, last = await writer.append(
            [NewRecord("a", b"1"), NewRecord("b", b"2", ELSEWHERE), NewRecord("c", b"3")]
        )
        assert [(r.key, r.offset) for r in await everything(log, partition=1)] == [("a", first), ("c", last)]
        [found] = await everything(log, ELSEWHERE, partition_of("b", PARTITIONS))
        assert (found.topic, found.key, found.value, found.offset) == (ELSEWHERE, "b", b"2", reply)

    async def test_a_record_of_another_topic_is_written_to_its_key_s_partition(self, log: Log) -> None:
        names = [f"key-{n}" for n in range(30)]
        writer = await log.writer("newbook", TOPIC, 0)
        offsets = await writer.append([NewRecord(name, b"{}", ELSEWHERE) for name in names])
        assert await everything(log) == []
        found = [record for p in range(PARTITIONS) for record in await everything(log, ELSEWHERE, p)]
        assert all(record.partition == partition_of(record.key, PARTITIONS) for record in found)
        assert {record.key: record.offset for record in found} == dict(zip(names, offsets, strict=True))

    async def test_a_record_that_names_the_writers_own_topic_stays_in_its_partition(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 2)
        await writer.append([NewRecord(f"key-{n}", b"{}", TOPIC) for n in range(9)])
        assert len(await everything(log, partition=2)) == 9

    async def test_a_fenced_writer_writes_nothing_anywhere(self, log: Log) -> None:
        former = await log.writer("newbook", TOPIC, 0)
        await log.writer("newbook", TOPIC, 0)
        with pytest.raises(Fenced):
            await former.append(
                [NewRecord("a", b"1"), NewRecord("b", b"2", ELSEWHERE)], Consumed(COMMANDS, 0, 7)
            )
        assert await everything(log) == []
        assert await everything(log, ELSEWHERE, partition_of("b", PARTITIONS)) == []
        assert await log.consumed("newbook", COMMANDS, 0) == 0

    async def test_a_new_log_has_no_consumed_offset(self, log: Log) -> None:
        await log.writer("newbook", TOPIC, 0)
        assert await log.consumed("newbook", COMMANDS, 0) == 0

    async def test_the_consumed_offset_moves_with_the_records(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append(records("a"), Consumed(COMMANDS, 0, 3))
        await writer.append(records("b", "c"), Consumed(COMMANDS, 0, 5))
        await writer.append(records("d"))
        await log.writer("newbook", TOPIC, 0)
        assert await log.consumed("newbook", COMMANDS, 0) == 5
        assert [record.key for record in await everything(log)] == ["a", "b", "c", "d"]

    async def test_the_consumed_offset_may_move_alone(self, log: Log) -> None:
        writer = await log.writer("newbook", TOPIC, 0)
        assert list(await writer.append([], Consumed(COMMANDS, 0, 3))) == []
        await log.writer("newbook", TOPIC, 0)
        assert await log.consumed("newbook", COMMANDS, 0) == 3
        assert await everything(log) == []

    async def test_a_consumed_offset_belongs_to_one_name_and_one_partition_of_one_topic(
        self, log: Log
    ) -> None:
        writer = await log.writer("newbook", TOPIC, 1)
        await writer.append(records("a"), Consumed(COMMANDS, 1, 3))
        await log.writer("newbook", TOPIC, 1)
        assert await log.consumed("newbook", COMMANDS, 1) == 3
        assert await log.consumed("newbook", COMMANDS, 0) == 0
        assert await log.consumed("newbook", TOPIC, 1) == 0
        assert await log.consumed("readbook", COMMANDS, 1) == 0

    async def test_a_log_that_was_never_truncated_starts_at_the_beginning(self, log: Log) -> None:
        assert await log.start(TOPIC, 0) == 0
        await write(log, "a")
        assert await log.start(TOPIC, 0) == 0
