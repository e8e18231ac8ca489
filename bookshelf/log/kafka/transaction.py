"""One transaction of aiokafka's producer: batches of records and a group's offset, all or nothing.

It uses one private part of the producer (aiokafka 0.14): a refused transaction fails only its own future, and
the futures of its records would stay open without end.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from bookshelf.log.kafka.client_lifecycle import ignore_result
from bookshelf.log.partition import Place
from bookshelf.log.port import Consumed, NewRecord, OutcomeUnknown


class RecordBatches:
    """Groups records into Kafka's batches, in order for each partition."""

    def __init__(self, make: Callable[[], BatchBuilder], prefix: str) -> None:
        self._make = make
        self._prefix = prefix
        self._open: dict[Place, int] = {}
        self.full: list[tuple[TopicPartition, BatchBuilder]] = []

    def put(self, place: Place, record: NewRecord) -> tuple[int, int]:
        """Add a record; return the index of its batch and its index within that batch."""
        number = self._open.get(place)
        if number is None or not self._added(number, record):
            number = self._open[place] = len(self.full)
            self.full.append((TopicPartition(self._prefix + place[0], place[1]), self._make()))
            self._added(number, record)
        return number, self.full[number][1].record_count() - 1

    def _added(self, number: int, record: NewRecord) -> bool:
        batch = self.full[number][1]
        added = batch.append(timestamp=None, key=record.key.encode(), value=record.value)
        return added is not None


class Transaction:
    """A transaction that ends by `commit`; the next writer aborts it if it was not committed."""

    def __init__(self, producer: AIOKafkaProducer, ended: "asyncio.Future[None]") -> None:
        self._producer = producer
        self._ended = ended
        self._sent: list[asyncio.Future[Any]] = []

    @classmethod
    async def begin(cls, producer: AIOKafkaProducer) -> "Transaction":
        """Begin a transaction. Fails an assertion if the producer has failed before."""
        await producer.begin_transaction()
        ended = producer._txn_manager.wait_for_transaction_end()  # noqa: SLF001 (see above)
        ignore_result(ended)
        return cls(producer, ended)

    async def send(self, parcels: Sequence[tuple[TopicPartition, BatchBuilder]]) -> None:
        """Send batches; those of one partition are sent in order."""
        for where, batch in parcels:
            placed = await self._producer.send_batch(batch, where.topic, partition=where.partition)
            ignore_result(placed)
            self._sent.append(placed)

    async def move(self, group: str, prefix: str, consumed: Consumed) -> None:
        """Move a group's offset. Call it after `send`: offsets that come first hang (aiokafka #1004)."""
        where = TopicPartition(prefix + consumed.topic, consumed.partition)
        offsets = {where: consumed.offset}
        await self._or_refused(
            asyncio.ensure_future(self._producer.send_offsets_to_transaction(offsets, group))
        )

    async def placed(self) -> list[int]:
        """Wait until the required replicas have all batches; return the offset of each one's first record."""
        firsts = [int((await self._or_refused(batch)).offset) for batch in self._sent]
        if any(first < 0 for first in firsts):
            msg = "the broker has the records and did not return their offsets"
            raise OutcomeUnknown(msg)
        return firsts

    async def commit(self) -> None:
        """Commit. After an exception the outcome is unknown."""
        await self._producer.commit_transaction()

    async def _or_refused(self, future: "asyncio.Future[Any]") -> Any:  # noqa: ANN401 (whatever the future has)
        ignore_result(future)
        await asyncio.wait({future, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            self._ended.result()
        return await future


async def claim(producer: AIOKafkaProducer, where: TopicPartition) -> None:
    """Abort an empty transaction in a partition, so that the partition itself fences the former producer.

    Starting a producer fences only at the coordinator. A coordinator that was killed may have lost a former
    producer's transaction while its records are in the partition: it would never end, and block all readers.
    """
    await producer.begin_transaction()
    producer._txn_manager.maybe_add_partition_to_txn(where)  # noqa: SLF001 (only sending does, otherwise)
    await producer.abort_transaction()
