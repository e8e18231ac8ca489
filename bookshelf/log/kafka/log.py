"""The log on Kafka, and its tails: consumers outside any group, each of one partition's committed records."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition, errors
from aiokafka.admin import AIOKafkaAdminClient

from bookshelf.log.kafka.clients import Clients, renew_connections, start_client, stop_consumer, stop_producer
from bookshelf.log.kafka.connect import administered, connect, identity, reach
from bookshelf.log.kafka.faults import asking, message_of, persist
from bookshelf.log.kafka.member import KafkaMembership
from bookshelf.log.kafka.settings import KafkaSettings, Topic
from bookshelf.log.kafka.topic_check import first_keys, misplaced, written_for
from bookshelf.log.kafka.topics import TopicSettings, ensure, existing, look_up
from bookshelf.log.kafka.writer import KafkaWriter, WriterContext, claim
from bookshelf.log.port import Change, LogFault, OutOfRange, Record

#: Seconds from which on a question without an answer lets us doubt the connection.
_SILENT_S = 0.4
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


T = TypeVar("T")


class KafkaLog:
    """The log on one Kafka cluster. Each writer, tail and membership has connections of its own."""

    def __init__(self, clients: Clients, topics: dict[str, TopicSettings], identity: str) -> None:
        self.identity = identity
        self._clients = clients
        self._settings = clients.settings
        self._topics = topics
        self._opened_with = frozenset(topics)
        self._loop = asyncio.get_running_loop()
        self._asker = clients.asker()
        self._admin = clients.admin()
        self._producers: set[AIOKafkaProducer] = set()
        self._consumers: set[AIOKafkaConsumer] = set()
        self._members: set[KafkaMembership] = set()
        self._stopping: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, settings: KafkaSettings, topics: Sequence[Topic]) -> "KafkaLog":
        """Wait for a broker, create missing topics, and connect. Raises `LogFault`."""
        clients = Clients(settings)
        what = f"opening the log at {settings.bootstrap}"
        async with administered(clients, what, settings.wait_s) as (connection, admin):
            found = await ensure(connection, admin, settings, topics)
            kept = [topic for topic in topics if topic.retention_s is None]
            counts = {settings.prefix + topic.name: found[topic.name].partitions for topic in kept}
            by_parent = {settings.prefix + topic.name for topic in kept if topic.by_parent}
            await _check_placement(clients, counts, by_parent)
            log = cls(clients, found, await identity(connection, list(counts)))
        await log._connect()
        return log

    @classmethod
    async def look(cls, settings: KafkaSettings, names: Sequence[str]) -> "KafkaLog":
        """Wait for a broker and connect for reading these topics; creates nothing. Raises `LogFault`."""
        clients = Clients(settings)
        connection = await reach(clients)
        try:
            async with asking(f"opening the log at {settings.bootstrap}", settings.ask_s):
                log = cls(clients, await existing(connection, settings, names), "")
        finally:
            await connection.close()
        await log._connect()
        return log

    async def _connect(self) -> None:
        try:
            async with asking("connecting to Kafka", self._settings.wait_s):
                await start_client(self._asker)
                await self._admin.start()
                every = [
                    self._at(name, p) for name, topic in self._topics.items() for p in range(topic.partitions)
                ]
                await persist(lambda: self._asker.end_offsets(every))  # it knows the leaders from here on
        except BaseException:
            await self.close()
            raise

    def partitions(self, topic: str) -> int:
        """Return the topic's number of partitions at the opening. Raises `LogFault` for an unknown topic."""
        return self._known(topic).partitions

    async def look_up(self, topic: str) -> bool:
        """Look up a topic at a broker, unless the log was opened with it; creates no topic."""
        if topic in self._opened_with:
            return True
        async with asking(f"looking up the topic {topic}", self._settings.ask_s):
            connection = await connect(self._clients)
            try:
                found = await look_up(connection, self._admin, self._settings.prefix + topic)
            finally:
                await connection.close()
        if found is None:
            self._topics.pop(topic, None)
            return False
        self._topics[topic] = found
        return True

    def _known(self, topic: str) -> TopicSettings:
        if topic not in self._topics:
            msg = f"the log was not opened with a topic {topic}, only with {', '.join(self._topics)}"
            raise LogFault(msg)
        return self._topics[topic]

    def _at(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._settings.prefix + topic, partition)

    async def writer(self, name: str, topic: str, partition: int) -> KafkaWriter:
        """Start the producer NAME-PARTITION, which ends transactions of a former one and fences it."""
        self._known(topic)
        producer = self._clients.producer(f"{self._settings.prefix}{name}-{partition}")
        self._producers.add(producer)
        try:
            async with asking(f"opening the writer {name}-{partition}", self._settings.ask_s):
                await start_client(producer)
                await claim(producer, self._at(topic, partition))
        except BaseException:
            self._drop(producer)
            raise
        record_bytes = lambda topic: self._known(topic).record_bytes  # noqa: E731 (one of several)
        chosen = self._settings
        around = WriterContext(chosen.prefix, self.partitions, record_bytes, chosen.append_s, self._drop)
        return KafkaWriter(producer, name, (topic, partition), around)

    async def tail(self, topic: str, partition: int, offset: int) -> KafkaTail:
        """Read from `offset`."""
        start, end = await asyncio.gather(self.start(topic, partition), self.end(topic, partition))
        if not start <= offset <= end:
            msg = f"{topic}/{partition} has {start} to {end}, so nothing can be read from {offset}"
            raise OutOfRange(msg)
        consumer = self._clients.reader()
        self._consumers.add(consumer)
        tail = KafkaTail(
            consumer, self._at(topic, partition), topic, self._settings.silence_s, self._abandoned
        )
        async with asking(f"reading {topic}/{partition}", self._settings.ask_s):
            await tail.begin(offset)
        return tail

    async def start(self, topic: str, partition: int) -> int:
        """Return the first offset that the topic still has."""
        return await self._ask(self._asker.beginning_offsets, topic, partition)

    async def end(self, topic: str, partition: int) -> int:
        """Return the high watermark.

        Not the last stable offset: acknowledged records may follow a transaction that is still open, or
        their own marker may not be written yet. A tail reaches them once those transactions have ended.
        """
        return await self._ask(self._asker.end_offsets, topic, partition)

    async def _ask(
        self, ask: Callable[[list[TopicPartition]], Awaitable[Any]], topic: str, partition: int
    ) -> int:
        self._known(topic)
        where = self._at(topic, partition)
        found = await self._answer(self._asker, f"the offsets of {topic}/{partition}", lambda: ask([where]))
        return int(found[where])

    async def _answer(
        self, asks: AIOKafkaConsumer | AIOKafkaAdminClient, what: str, ask: Callable[[], Awaitable[Any]]
    ) -> Any:  # noqa: ANN401 (aiokafka has no types)
        """Return the answer to a question of one of the clients. Raises `LogFault`."""
        end = self._loop.time() + _SILENT_S
        try:
            async with asking(f"asking for {what}", self._settings.ask_s):
                return await persist(ask)
        except BaseException:
            if self._loop.time() >= end:
                renew_connections(asks)
            raise

    async def since(self, topic: str, partition: int, moment: datetime) -> int:
        """Return an offset at or before the first record appended at that moment or later."""
        millis = int(moment.timestamp() * 1000)
        at = self._at(topic, partition)
        what = f"what {topic}/{partition} had at {moment}"
        found = await self._answer(self._asker, what, lambda: self._asker.offsets_for_times({at: millis}))
        return await self.end(topic, partition) if found[at] is None else int(found[at].offset)

    async def consumed(self, name: str, topic: str, partition: int) -> int:
        """Return the committed offset of the group `name`; 0 if it has none."""
        where, group = self._at(topic, partition), self._settings.prefix + name
        found = await self._answer(
            self._admin,
            f"how far {name} is in {topic}/{partition}",
            lambda: self._admin.list_consumer_group_offsets(group, partitions=[where]),
        )
        return max(0, int(found[where].offset)) if where in found else 0

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> KafkaMembership:
        """Join the consumer group; returns once its first share is assigned."""
        self._known(topic)
        name = self._settings.prefix + (self._settings.group and f"{self._settings.group}.") + group
        member = KafkaMembership(self._clients, name, topic, assigned, revoked)
        self._members = {former for former in self._members if not former.gone} | {member}
        await member.join()
        return member

    async def close(self) -> None:
        """Leave every group, then close every connection."""
        await asyncio.gather(*(member.leave() for member in self._members))
        for producer in list(self._producers):
            self._drop(producer)
        for consumer in list(self._consumers):
            self._stop_consumer(consumer)
        await asyncio.gather(*self._stopping, stop_consumer(self._asker), self._admin.close())

    def _drop(self, producer: AIOKafkaProducer) -> None:
        self._producers.discard(producer)
        self._in_background(stop_producer(producer))

    def _abandoned(self, consumer: AIOKafkaConsumer) -> None:
        """Stop a tail's consumer; the garbage collector may call this from any thread, at any time."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop_consumer, consumer)

    def _stop_consumer(self, consumer: AIOKafkaConsumer) -> None:
        if consumer in self._consumers:
            self._consumers.discard(consumer)
            self._in_background(stop_consumer(consumer))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


async def _check_placement(clients: Clients, topics: Mapping[str, int], by_parent: AbstractSet[str]) -> None:
    """Raise `LogFault` for a topic that has got more partitions than its records were written for."""
    for name, keys in (await first_keys(clients, topics)).items():
        if (written := written_for(keys, topics[name], by_parent=name in by_parent)) != topics[name]:
            raise LogFault(misplaced(name, topics[name], written))
