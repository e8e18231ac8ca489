"""The writer on Kafka: a transactional producer that fences the former one; an append is a transaction.

It uses one private part of the producer (aiokafka 0.14): a refused transaction fails only its own future, and
the futures of its records would stay open without end.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from bookshelf.log.kafka.clients import ignore_result
from bookshelf.log.kafka.faults import append_fault
from bookshelf.log.port import Consumed, Fenced, LogFault, NewRecord, OutcomeUnknown, Place, positions_of


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


#: The most bytes of a record beside its key and value.
_AROUND = 100


class WriterContext(NamedTuple):
    """What a writer needs of its log: the prefix of names, the topics' limits, the deadline of an append."""

    prefix: str
    partitions: Callable[[str], int]
    record_bytes: Callable[[str], int]
    append_s: float
    drop: Callable[[AIOKafkaProducer], None]


class KafkaWriter:
    """A writer of one name and partition. Appends run one after the other; after a fault it is unusable."""

    def __init__(self, producer: AIOKafkaProducer, name: str, own: Place, around: WriterContext) -> None:
        self.name = name
        self._producer = producer
        self._own = own
        self._around = around
        self._turn = asyncio.Lock()
        self._lost: LogFault | None = None
        self._committing = False

    async def append(self, records: Sequence[NewRecord], consumed: Consumed | None = None) -> Sequence[int]:
        """Append all or none. Raises `Fenced`, `OutcomeUnknown`, or `LogFault` if nothing was written."""
        if not records and consumed is None:
            return ()
        where = positions_of(records, self._own, self._around.partitions)
        self._fit(records, where)
        async with self._turn:
            self._in_hand()
            self._committing = False
            try:
                async with asyncio.timeout(self._around.append_s):
                    return await self._transaction(records, where, consumed)
            except asyncio.CancelledError:
                self._lose(OutcomeUnknown(f"{self._named}: an append was given up"))
                raise
            except Exception as fault:
                translated = append_fault(fault, self._named, committing=self._committing)
                self._lose(translated)
                raise translated from fault

    @property
    def _named(self) -> str:
        return f"{self.name} of {self._own[0]}/{self._own[1]}"

    def _fit(self, records: Sequence[NewRecord], where: Sequence[Place]) -> None:
        for record, (topic, _) in zip(records, where, strict=True):
            size, most = (
                len(record.key.encode()) + len(record.value) + _AROUND,
                self._around.record_bytes(topic),
            )
            if size > most:
                msg = f"a record has {size} bytes, and the topic {topic} takes {most} (max.message.bytes)"
                raise LogFault(msg)

    def _in_hand(self) -> None:
        if isinstance(self._lost, Fenced):
            raise Fenced(str(self._lost))
        if self._lost is not None:
            msg = f"this writer is unusable after a fault ({self._lost}); open another"
            raise OutcomeUnknown(msg)

    def _lose(self, fault: LogFault) -> None:
        self._lost = fault
        self._around.drop(self._producer)

    async def _transaction(
        self, records: Sequence[NewRecord], where: Sequence[Place], consumed: Consumed | None
    ) -> Sequence[int]:
        transaction = await Transaction.begin(self._producer)
        parcels = RecordBatches(self._producer.create_batch, self._around.prefix)
        slots = [parcels.put(place, record) for place, record in zip(where, records, strict=True)]
        await transaction.send(parcels.full)
        if consumed is not None:
            await transaction.move(self._around.prefix + self.name, self._around.prefix, consumed)
        firsts = await transaction.placed()
        self._committing = True
        await transaction.commit()
        return [firsts[parcel] + n for parcel, n in slots]

    async def close(self) -> None:
        """Close the writer; an append under way is cancelled and its outcome is unknown."""
        if self._lost is None:
            self._lose(OutcomeUnknown(f"{self._named} was closed"))
