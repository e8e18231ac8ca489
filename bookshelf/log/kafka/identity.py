"""Identifies a log by its cluster and the ids of its topics; a topic that is created again has another id.

Topics have ids since Kafka 3.1 (KIP-516), in version 12 of the Metadata API, which aiokafka does not support.
"""

from collections.abc import Sequence
from hashlib import sha256

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_METADATA = 3
_VERSION = 12
_text = CompactString("utf-8")


class _Answer(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = _METADATA
    API_VERSION = _VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _text), ("port", Int32), ("rack", _text), ("tags", TaggedFields)
            ),
        ),
        ("cluster_id", _text),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _text),
                ("id_high", Int64),
                ("id_low", Int64),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc] # aiokafka has no types
    FLEXIBLE_VERSION = True
    API_KEY = _METADATA
    API_VERSION = _VERSION
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("id_high", Int64), ("id_low", Int64), ("name", _text), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIds(Request[_Question]):  # type: ignore[misc] # aiokafka has no types
    """Asks a broker for the ids of topics."""

    API_KEY = _METADATA

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_Question]) -> _Question:
        """Return the request as it is sent."""
        no_tags: dict[int, bytes] = {}
        topics = [(0, 0, name, no_tags) for name in self._names]
        return request_struct_class(topics, False, False, no_tags)  # noqa: FBT003 (the wire's order)


async def identity(connection: AIOKafkaConnection, names: Sequence[str]) -> str:
    """Return a name of these topics; before Kafka 3.1, topics that are created again have the same name."""
    cluster = (await connection.send(MetadataRequest([]))).cluster_id
    try:
        answer = await connection.send(_TopicIds(names))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return f"{cluster}/{','.join(sorted(names))}"
    found = sorted((name, high, low) for code, name, high, low, *_ in answer.topics if not code)
    return f"{cluster}/{sha256(repr(found).encode()).hexdigest()[:16]}"
