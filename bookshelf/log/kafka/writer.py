"""The writer on Kafka: a transactional producer that fences the former one. An append is a transaction."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from bookshelf.log.kafka.faults import append_fault
from bookshelf.log.kafka.transaction import RecordBatches, Transaction
from bookshelf.log.partition import Place, positions_of
from bookshelf.log.port import Consumed, Fenced, LogFault, NewRecord, OutcomeUnknown

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
