"""Checks topics on the brokers: settings, replication, and records in the partitions of their keys."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition, errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

from bookshelf.cqrs.parent import parent_of
from bookshelf.log.kafka.clients import Clients, start_client, stop_consumer
from bookshelf.log.kafka.connect import administered
from bookshelf.log.kafka.faults import persist
from bookshelf.log.kafka.settings import Finding, KafkaSettings, Topic
from bookshelf.log.kafka.topics import configs
from bookshelf.log.port import partition_of

#: Records that are checked in each partition. After c partitions became n, at most half of the keys fit.
_SAMPLE = 32
#: Milliseconds that one answer is waited for.
_WAIT_MS = 2000

#: The first keys of each partition.
Sample = Mapping[int, Iterable[str]]


def written_for(sample: Sample, partitions: int, *, by_parent: bool = False) -> int:
    """Return the number of partitions that the first keys were written for; 0 if they fit no number.

    It is `partitions` if all keys fit it, or if there are none. Otherwise it is the largest lower number that
    explains the keys that do not: some records may have been written after partitions were added. With
    `by_parent`, the key of a child counts as its parent's.
    """
    placed = [(p, parent_of(key) if by_parent else key) for p, keys in sample.items() for key in keys]
    misfits = [(p, key) for p, key in placed if partition_of(key, partitions) != p]
    if not misfits:
        return partitions
    numbers = range(partitions - 1, 0, -1)
    return next((n for n in numbers if all(partition_of(key, n) == p for p, key in misfits)), 0)


async def first_keys(clients: Clients, topics: Mapping[str, int]) -> dict[str, dict[int, list[str]]]:
    """Return the first keys of each partition, by the topic's name in Kafka. The deadline is the caller's."""
    consumer = clients.reader()
    try:
        await start_client(consumer)
        places = [TopicPartition(name, p) for name, count in topics.items() for p in range(count)]
        starts = await persist(lambda: consumer.beginning_offsets(places))
        ends = await persist(lambda: consumer.end_offsets(places))
        filled = [place for place in places if starts[place] < ends[place]]
        if filled:
            consumer.assign(filled)
            for place in filled:
                consumer.seek(place, starts[place])
        found = await asyncio.gather(*(_keys(consumer, place) for place in filled))
    finally:
        await stop_consumer(consumer)
    sample: dict[str, dict[int, list[str]]] = {name: {} for name in topics}
    for place, keys in zip(filled, found, strict=True):
        sample[place.topic][place.partition] = keys
    return sample


async def _keys(consumer: AIOKafkaConsumer, place: TopicPartition) -> list[str]:
    """Return the first keys; none if no answer comes, or the first records are of an open transaction."""
    records = (await consumer.getmany(place, timeout_ms=_WAIT_MS, max_records=_SAMPLE)).get(place, ())
    return [record.key.decode(errors="replace") for record in records if record.key]


def misplaced(name: str, found: int, written: int) -> str:
    """Return what happened to a topic whose records were written for another number, and what to do."""
    former = f"for {written}" if written else "for another number"
    again = f"with {written}" if written else "with the former number"
    return (
        f"Kafka's topic {name} has {found} partitions, and its first records were written {former}: "
        f"partitions were added, so the records of most keys would never be found. Partitions cannot be "
        f"taken away: make a topic {again} under another kafka_prefix, copy each partition's records into "
        f"the partition of the same number, and set kafka_prefix and kafka_partitions"
    )


#: Settings for which a value above the expected one is good too.
_AT_LEAST = frozenset({"min.insync.replicas", "max.message.bytes", "replication.factor"})

#: Topics that the brokers create for themselves, and the settings of their replication.
_BROKERS_OWN = {
    "__transaction_state": "transaction.state.log.replication.factor",
    "__consumer_offsets": "offsets.topic.replication.factor",
}


async def check(settings: KafkaSettings, topics: Sequence[Topic]) -> list[Finding]:
    """Return the findings about each topic, good or not. Raises `LogFault`."""
    clients = Clients(settings)
    what = f"asking {settings.bootstrap} for topics"
    async with administered(clients, what, settings.ask_s) as (connection, admin):
        lines = [line for topic in topics for line in await _of(connection, admin, settings, topic)]
        kept = [settings.prefix + topic.name for topic in topics if topic.retention_s is None]
        counts = {
            one.topic: int(one.found) for one in lines if one.name == "partitions" and one.topic in kept
        }
        sample = await first_keys(clients, counts)
        by_parent = {settings.prefix + topic.name for topic in topics if topic.by_parent}
        lines += [
            _written(name, count, sample[name], by_parent=name in by_parent) for name, count in counts.items()
        ]
        lines += [
            line for name in _BROKERS_OWN for line in await _brokers_own(connection, admin, settings, name)
        ]
        return lines


async def _of(
    connection: AIOKafkaConnection, admin: AIOKafkaAdminClient, settings: KafkaSettings, topic: Topic
) -> list[Finding]:
    name = settings.prefix + topic.name
    # the admin client's own request would make the broker create the topic, with one partition
    answer = await connection.send(MetadataRequest([name], allow_auto_topic_creation=False))
    [(code, _, _, partitions)] = answer.topics
    wanted = configs(settings, topic)
    if errors.for_code(code) is errors.UnknownTopicOrPartitionError:
        return [Finding(name, "topic", "missing", "there", _creation(settings, name, wanted))]
    if code:
        do = "let this user describe, read and write it"
        return [Finding(name, "topic", errors.for_code(code).__name__, "there", do)]
    found = await persist(lambda: _configs(admin, name))
    lines = [*_placed(name, settings, partitions), *_set(name, found, wanted)]
    return [Finding(name, "topic", "there", "there"), *lines]


def _written(name: str, count: int, keys: Sample, *, by_parent: bool) -> Finding:
    written = written_for(keys, count, by_parent=by_parent)
    do = "" if written == count else misplaced(name, count, written)
    return Finding(name, "written for partitions", str(written or "unknown"), str(count), do)


async def _brokers_own(
    connection: AIOKafkaConnection, admin: AIOKafkaAdminClient, settings: KafkaSettings, name: str
) -> list[Finding]:
    """Return how a topic of the brokers is replicated: without it no transaction is committed."""
    answer = await connection.send(MetadataRequest([name], allow_auto_topic_creation=False))
    [(code, _, _, partitions)] = answer.topics
    setting = f"{_BROKERS_OWN[name]} of the brokers"
    if code:
        return [Finding(name, "topic", "not made yet", f"there after the first use: as {setting} says")]
    least = str(min((len(replicas) for _, _, _, replicas, *_ in partitions), default=0))
    do = f"add replicas with kafka-reassign-partitions.sh; {setting} holds for new clusters only"
    replication = _judged(Finding(name, "replication.factor", least, str(settings.replication), do))
    key, wanted = "min.insync.replicas", str(settings.min_insync)
    found = await persist(lambda: _configs(admin, name))
    return [replication, *_set(name, {key: found.get(key, "unknown")}, {key: wanted})]


def _creation(settings: KafkaSettings, name: str, wanted: Mapping[str, str]) -> str:
    chosen = " ".join(f"--config {key}={value}" for key, value in wanted.items())
    counts = f"--partitions {settings.partitions} --replication-factor {settings.replication}"
    return f"a service makes it when it starts; or: kafka-topics.sh --create --topic {name} {counts} {chosen}"


def _placed(name: str, settings: KafkaSettings, partitions: Sequence[Sequence[object]]) -> Iterator[Finding]:
    count, wanted = len(partitions), settings.partitions
    do = f"set kafka_partitions to {count}; never change those of a topic that has records"
    yield Finding(name, "partitions", str(count), str(wanted), "" if count == wanted else do)
    replicas = [len(found) for _, _, _, found, *_ in partitions]  # type: ignore[arg-type] # aiokafka has no types
    least = str(min(replicas, default=0))
    do = f"add replicas with kafka-reassign-partitions.sh, or set kafka_replication to {least}"
    yield _judged(Finding(name, "replication.factor", least, str(settings.replication), do))
    lacking = [str(p) for _, p, leader, all_, isr, *_ in partitions if leader == -1 or len(isr) < len(all_)]  # type: ignore[arg-type] # as above
    do = "see which brokers are down: their replicas have not all records"
    in_sync = f"{len(lacking)} of {count} lack replicas: {', '.join(lacking)}" if lacking else "all"
    yield Finding(name, "replicas in sync", in_sync, "all", do if lacking else "")


def _set(name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in wanted.items():
        do = f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {key}={value}"
        yield _judged(Finding(name, key, found.get(key, "unknown"), value, do))


def _judged(line: Finding) -> Finding:
    """Return the finding, without its remedy if the value is good."""
    more = line.name in _AT_LEAST and line.found.isdigit() and int(line.found) >= int(line.expected)
    return msgspec.structs.replace(line, do="") if more or line.found == line.expected else line


async def _configs(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    [(code, why, _, _, entries)] = answer.resources
    if code:
        raise errors.for_code(code)(why)
    return {key: str(value) for key, value, *_ in entries}
