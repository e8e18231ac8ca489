"""Reads the committed records of one partition with a consumer outside any group."""

import asyncio
import weakref
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, errors

from bookshelf.log.kafka.client_lifecycle import start_client
from bookshelf.log.kafka.faults import message_of
from bookshelf.log.port import LogFault, OutOfRange, Record

#: Milliseconds of one poll. A poll without records can still move the position, over the marker of an aborted
#: transaction.
_LOOK_MS = 100

Release = Callable[[AIOKafkaConsumer], None]


class KafkaTail:
    """A reader of one partition. A tail that is garbage collected is closed."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        where: TopicPartition,
        topic: str,
        silence_s: float,
        release: Release,
    ) -> None:
        self._consumer = consumer
        self._where = where
        self._topic = topic
        self._silence_s = silence_s
        self._closed = weakref.finalize(self, release, consumer)
        self._closed.atexit = False
        self._polled: int | None = None
        self._answered = asyncio.get_running_loop().time()
        self.position = 0

    async def begin(self, offset: int) -> None:
        """Connect, and position the consumer at the offset."""
        await start_client(self._consumer)
        # no await between these two: without a position the consumer would fetch one itself
        self._consumer.assign([self._where])
        self._consumer.seek(self._where, offset)
        self.position = offset

    async def take(self, most: int) -> Sequence[Record]:
        """Return 1 to `most` records, waiting for the first; none if only the position moved."""
        self._answered = asyncio.get_running_loop().time()
        waiting_ms = 0  # the first poll returns what is fetched already, without waiting
        while True:
            records = await self._get(most, waiting_ms)
            position = await self._consumer.position(self._where)
            if records or position != self.position:
                self.position = position
                return [self._record(record) for record in records]
            self._watch()
            waiting_ms = _LOOK_MS

    async def _get(self, most: int, waiting_ms: int) -> Sequence[ConsumerRecord]:
        where = f"{self._topic}/{self._where.partition}@{self.position}"
        try:
            found = await self._consumer.getmany(self._where, timeout_ms=waiting_ms, max_records=most)
        except errors.OffsetOutOfRangeError as fault:
            msg = f"nothing can be read from {where}: the topic was truncated, or deleted and created again"
            raise OutOfRange(msg) from fault
        except (errors.KafkaError, errors.ConsumerStoppedError) as fault:
            msg = f"{where} cannot be read: {message_of(fault)}"
            raise LogFault(msg) from fault
        records: Sequence[ConsumerRecord] = found.get(self._where, ())
        return records

    def _watch(self) -> None:
        """Raise `LogFault` if no broker has answered for `silence_s`; aiokafka itself retries silently."""
        now = asyncio.get_running_loop().time()
        polled = self._consumer.last_poll_timestamp(self._where)
        if polled != self._polled:
            self._polled, self._answered = polled, now
        elif now - self._answered > self._silence_s:
            msg = (
                f"{self._topic}/{self._where.partition} cannot be read: no broker has answered for "
                f"{self._silence_s:g} s; see whether Kafka is up"
            )
            raise LogFault(msg)

    def _record(self, record: ConsumerRecord) -> Record:
        # other programs can write to the topic too: keys may be missing or not be UTF-8
        key = "" if record.key is None else record.key.decode(errors="replace")
        return Record(self._topic, self._where.partition, record.offset, key, record.value or b"")

    async def close(self) -> None:
        """Stop reading."""
        self._closed()
