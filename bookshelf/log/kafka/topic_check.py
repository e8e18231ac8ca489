"""Topics as they are, beside what is needed: nothing is made, nothing is changed."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.connect import administered
from bookshelf.log.kafka.faults import persist
from bookshelf.log.kafka.placement import Sample, first_keys, misplaced, written_for
from bookshelf.log.kafka.settings import Finding, KafkaSettings, Topic
from bookshelf.log.kafka.topics import configs

#: Of these, more than is asked for is as good.
_AT_LEAST = frozenset({"min.insync.replicas", "max.message.bytes", "replication.factor"})

#: Topics that the brokers make for themselves, and the settings of their replication.
_BROKERS_OWN = {
    "__transaction_state": "transaction.state.log.replication.factor",
    "__consumer_offsets": "offsets.topic.replication.factor",
}


async def check(settings: KafkaSettings, topics: Sequence[Topic]) -> list[Finding]:
    """Return what there is to say of each topic, good or not. Raises `LogFault`."""
    clients = Clients(settings)
    what = f"asking {settings.bootstrap} for topics"
    async with administered(clients, what, settings.ask_s) as (connection, admin):
        lines = [line for topic in topics for line in await _of(connection, admin, settings, topic)]
        kept = [settings.prefix + topic.name for topic in topics if topic.retention_s is None]
        counts = {
            one.topic: int(one.found) for one in lines if one.name == "partitions" and one.topic in kept
        }
        sample = await first_keys(clients, counts)
        lines += [_written(name, count, sample[name]) for name, count in counts.items()]
        lines += [
            line for name in _BROKERS_OWN for line in await _brokers_own(connection, admin, settings, name)
        ]
        return lines


async def _of(
    connection: AIOKafkaConnection, admin: AIOKafkaAdminClient, settings: KafkaSettings, topic: Topic
) -> list[Finding]:
    name = settings.prefix + topic.name
    # the admin client's own question would have a broker make the topic, with one partition
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


def _written(name: str, count: int, keys: Sample) -> Finding:
    written = written_for(keys, count)
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
    said = f"{len(lacking)} of {count} lack replicas: {', '.join(lacking)}" if lacking else "all"
    yield Finding(name, "replicas in sync", said, "all", do if lacking else "")


def _set(name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in wanted.items():
        do = f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {key}={value}"
        yield _judged(Finding(name, key, found.get(key, "unknown"), value, do))


def _judged(line: Finding) -> Finding:
    """Return the line without a word of what to do if it is good."""
    more = line.name in _AT_LEAST and line.found.isdigit() and int(line.found) >= int(line.expected)
    return msgspec.structs.replace(line, do="") if more or line.found == line.expected else line


async def _configs(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    [(code, why, _, _, entries)] = answer.resources
    if code:
        raise errors.for_code(code)(why)
    return {key: str(value) for key, value, *_ in entries}
