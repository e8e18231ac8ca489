"""Creates the topics that a log is opened with if they are missing, and checks those that exist."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest
from msgspec import Struct

from bookshelf.log.kafka.clients import RECORD_BYTES
from bookshelf.log.kafka.faults import persist
from bookshelf.log.kafka.settings import KafkaSettings, Topic
from bookshelf.log.port import LogFault

#: Seconds between two checks whether a new topic's partitions have leaders.
_PAUSE_S = 0.02
#: Seconds until brokers are counted again, at first and at most.
_FIRST_S, _LAST_S = 0.1, 2.0
_logger = structlog.get_logger(__name__)


class TooFewBrokers(LogFault):
    """The cluster has fewer brokers than a new topic needs for its replicas."""


#: Settings by which a broker removes records; they must have the declared values.
_KEEPS = ("cleanup.policy", "retention.ms", "retention.bytes")


class TopicSettings(Struct, frozen=True):
    """The actual settings of a topic. `record_bytes`: the largest record that it accepts."""

    partitions: int
    record_bytes: int


async def ensure(
    connection: AIOKafkaConnection,
    admin: AIOKafkaAdminClient,
    settings: KafkaSettings,
    topics: Sequence[Topic],
) -> dict[str, TopicSettings]:
    """Return the topics by our names for them, once all are there. The deadline is the caller's.

    Raises `LogFault`.
    """
    by_name = {settings.prefix + topic.name: topic for topic in topics}
    existing = await _partitions(connection, list(by_name))
    # checked before any topic is created: otherwise topics with two numbers of partitions could result
    _hold_to(settings.partitions, existing)
    missing = [topic for name, topic in by_name.items() if not existing[name]]
    if missing:
        await _patiently(admin, settings, missing)
    while not all(existing.values()):
        await asyncio.sleep(_PAUSE_S)
        existing = await _partitions(connection, list(by_name))
    _hold_to(settings.partitions, existing)
    found = await persist(lambda: _described(admin, list(by_name)))
    _hold_to_declared(settings, by_name, found)
    return {
        topic.name: TopicSettings(existing[name], _record_bytes(found[name]))
        for name, topic in by_name.items()
    }


async def existing(
    connection: AIOKafkaConnection, settings: KafkaSettings, names: Sequence[str]
) -> dict[str, TopicSettings]:
    """Return the topics by our names for them, for reading. Raises `LogFault` if one is missing."""
    found = await _partitions(connection, [settings.prefix + name for name in names])
    for name, count in found.items():
        if not count:
            msg = f"Kafka has no topic {name}, or no leaders for it; see `bookshelf topics check`"
            raise LogFault(msg)
    return {name: TopicSettings(found[settings.prefix + name], 0) for name in names}


async def look_up(
    connection: AIOKafkaConnection, admin: AIOKafkaAdminClient, name: str
) -> TopicSettings | None:
    """Return a topic of another program; None if it is missing, or this user may not see it."""
    answer = await connection.send(MetadataRequest([name], allow_auto_topic_creation=False))
    [(code, _, _, partitions)] = answer.topics
    fault = errors.for_code(code)
    if fault in {errors.UnknownTopicOrPartitionError, errors.TopicAuthorizationFailedError}:
        return None
    if fault is not errors.NoError:
        raise fault(name)
    try:
        most = _record_bytes((await persist(lambda: _described(admin, [name])))[name])
    except errors.TopicAuthorizationFailedError:
        most = RECORD_BYTES  # this user may write it and not see its settings: the broker will check
    return TopicSettings(len(partitions), most)


def _hold_to(wanted: int, existing: Mapping[str, int]) -> None:
    for name, found in existing.items():
        if found in {0, wanted}:  # 0: it is still to be made
            continue
        msg = (
            f"Kafka's topic {name} has {found} partitions, but {wanted} are wanted; "
            f"set kafka_partitions to {found}. "
            f"Never change those of a topic that has records: each key's records would be in two partitions"
        )
        raise LogFault(msg)


def _hold_to_declared(
    settings: KafkaSettings, by_name: Mapping[str, Topic], found: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise `LogFault` if a broker would remove records that the declaration keeps, or keep others."""
    for name, topic in by_name.items():
        wanted = {key: value for key, value in configs(settings, topic).items() if key in _KEEPS}
        wrong = {key: value for key, value in wanted.items() if found[name].get(key) != value}
        if wrong:
            existing = ", ".join(f"{key}={found[name].get(key)}" for key in wrong)
            needed = ",".join(f"{key}={value}" for key, value in wrong.items())
            msg = (
                f"Kafka's topic {name} has {existing}, so records would vanish from it, or be read again: "
                f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {needed}"
            )
            raise LogFault(msg)


async def _partitions(connection: AIOKafkaConnection, names: list[str]) -> dict[str, int]:
    """Return how many partitions each has, 0 while it is missing or has no leaders yet."""
    found = dict.fromkeys(names, 0)
    # the admin client's own request would make the broker create the topic, with one partition
    answer = await connection.send(MetadataRequest(names, allow_auto_topic_creation=False))
    for code, name, _, partitions in answer.topics:
        fault = errors.for_code(code)
        if fault is errors.TopicAuthorizationFailedError:
            msg = f"Kafka does not let us see the topic {name}: let this user describe, read and write it"
            raise LogFault(msg)
        if fault is errors.NoError and all(leader >= 0 for _, _, leader, *_ in partitions):
            found[name] = len(partitions)
    return found


async def _patiently(admin: AIOKafkaAdminClient, settings: KafkaSettings, topics: Sequence[Topic]) -> None:
    """Create topics, retrying for half of `wait_s`: restarted brokers are not counted at once."""
    clock = asyncio.get_running_loop().time
    pause_s, until = _FIRST_S, clock() + settings.wait_s / 2
    while True:
        try:
            return await persist(lambda: _make(admin, settings, topics))
        except TooFewBrokers as fault:
            if clock() >= until:
                raise
            _logger.warning("waiting-for-brokers", why=str(fault), again_in_s=round(pause_s, 1))
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LAST_S)


async def _make(admin: AIOKafkaAdminClient, settings: KafkaSettings, topics: Sequence[Topic]) -> None:
    wanted = [
        NewTopic(
            settings.prefix + topic.name,
            settings.partitions,
            settings.replication,
            topic_configs=configs(settings, topic),
        )
        for topic in topics
    ]
    answer = await _created(admin, wanted)
    for name, code, *more in answer.topic_errors:
        fault = errors.for_code(code)
        if fault in {errors.NoError, errors.TopicAlreadyExistsError}:
            continue
        why = next((text for text in more if text), fault.__name__)
        _refuse(f"Kafka does not make the topic {name}: {why}", fault)
    for topic in wanted:
        _logger.info(
            "topic-created", topic=topic.name, partitions=topic.num_partitions, **topic.topic_configs
        )


async def _created(admin: AIOKafkaAdminClient, wanted: list[NewTopic]) -> Any:  # noqa: ANN401 (aiokafka's)
    try:
        return await admin.create_topics(wanted)
    except AttributeError as fault:  # aiokafka's, of a broker that has just come back and knows no controller
        raise errors.NotControllerError from fault


def _refuse(why: str, fault: type[errors.KafkaError]) -> None:
    if fault.retriable:
        raise fault(why)
    if fault is errors.InvalidReplicationFactorError:
        raise TooFewBrokers(f"{why}; set kafka_replication to no more than there are brokers")
    raise LogFault(why)


def configs(settings: KafkaSettings, topic: Topic) -> dict[str, str]:
    """Return the settings that a topic must have, by Kafka's names."""
    retention_ms = -1 if topic.retention_s is None else round(topic.retention_s * 1000)
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(retention_ms),
        "retention.bytes": "-1",
        "min.insync.replicas": str(settings.min_insync),
        "max.message.bytes": str(RECORD_BYTES),
        "unclean.leader.election.enable": "false",
    }


async def _described(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the settings of topics that matter here, by the topics' names in Kafka."""
    keys = dict.fromkeys(("max.message.bytes", *_KEEPS), "")
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, keys) for name in names]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(asked):
        for code, why, _, name, entries in answer.resources:
            if code:
                raise errors.for_code(code)(why)
            found[name] = {key: str(value) for key, value, *_ in entries}
    return found


def _record_bytes(found: Mapping[str, str]) -> int:
    return int(found["max.message.bytes"])
