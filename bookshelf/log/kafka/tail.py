"""Reading one partition: a consumer outside any group, which sees only what was committed."""

import asyncio
import weakref
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, errors

from bookshelf.log.kafka.client_lifecycle import start_client
from bookshelf.log.kafka.faults import message_of
from bookshelf.log.port import LogFault, OutOfRange, Record

#: Milliseconds after which a reader that got nothing looks whether its position moved, over the marker of a
#: transaction that was taken back.
_LOOK_MS = 100

Release = Callable[[AIOKafkaConsumer], None]


class KafkaTail:
    """A reader of one partition. A tail that nobody holds any more is closed."""

    def __init__(
        self, consumer: AIOKafkaConsumer, where: TopicPartition, topic: str, silence_s: float, let_go: Release
    ) -> None:
        self._consumer = consumer
        self._where = where
        self._topic = topic
        self._silence_s = silence_s
        self._closed = weakref.finalize(self, let_go, consumer)
        self._closed.atexit = False
        self._polled: int | None = None
        self._heard = asyncio.get_running_loop().time()
        self.position = 0

    async def begin(self, offset: int) -> None:
        """Connect, and read from the offset on."""
        await start_client(self._consumer)
        # no turn of the loop between these two: without a position the consumer would look for one itself
        self._consumer.assign([self._where])
        self._consumer.seek(self._where, offset)
        self.position = offset

    async def take(self, most: int) -> Sequence[Record]:
        """Return 1 to `most` records, waiting for the first; none if only the position moved."""
        self._heard = asyncio.get_running_loop().time()
        waiting_ms = 0  # what is there already, and markers after it, before anything is waited for
        while True:
            found = await self._get(most, waiting_ms)
            position = await self._consumer.position(self._where)
            if found or position != self.position:
                self.position = position
                return [self._record(one) for one in found]
            self._watch()
            waiting_ms = _LOOK_MS

    async def _get(self, most: int, waiting_ms: int) -> Sequence[ConsumerRecord]:
        where = f"{self._topic}/{self._where.partition}@{self.position}"
        try:
            found = await self._consumer.getmany(self._where, timeout_ms=waiting_ms, max_records=most)
        except errors.OffsetOutOfRangeError as fault:
            msg = f"nothing can be read from {where}: the topic was truncated, or is another"
            raise OutOfRange(msg) from fault
        except (errors.KafkaError, errors.ConsumerStoppedError) as fault:
            msg = f"{where} cannot be read: {message_of(fault)}"
            raise LogFault(msg) from fault
        records: Sequence[ConsumerRecord] = found.get(self._where, ())
        return records

    def _watch(self) -> None:
        """Say so when no broker answers: aiokafka itself goes on trying, and says nothing for ever."""
        now = asyncio.get_running_loop().time()
        polled = self._consumer.last_poll_timestamp(self._where)
        if polled != self._polled:
            self._polled, self._heard = polled, now
        elif now - self._heard > self._silence_s:
            msg = (
                f"{self._topic}/{self._where.partition} cannot be read: no broker has answered for "
                f"{self._silence_s:g} s; see whether Kafka is up"
            )
            raise LogFault(msg)

    def _record(self, one: ConsumerRecord) -> Record:
        # others may write here too: a record without a key, or with one that is no text, must not stop us
        key = "" if one.key is None else one.key.decode(errors="replace")
        return Record(self._topic, self._where.partition, one.offset, key, one.value or b"")

    async def close(self) -> None:
        """Stop reading."""
        self._closed()
