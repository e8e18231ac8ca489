"""Connects to Kafka at the start, waits for a broker if none answers, and identifies the log.

A log is identified by its cluster and the ids of its topics; a topic that is created again has another id.
Topics have ids since Kafka 3.1 (KIP-516), in version 12 of the Metadata API, which aiokafka does not support.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

import structlog
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection, collect_hosts
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

from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.faults import asking, message_of
from bookshelf.log.port import LogFault

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


_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 5.0
#: Errors that waiting does not correct: our credentials, or the broker's certificate.
_WRONG = (
    errors.SaslAuthenticationFailed,
    errors.AuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    ssl.SSLCertVerificationError,
)
_logger = structlog.get_logger(__name__)


@asynccontextmanager
async def administered(
    clients: Clients, what: str, seconds: float
) -> AsyncIterator[tuple[AIOKafkaConnection, AIOKafkaAdminClient]]:
    """Wait for a broker; yield a connection and an admin client under one deadline. Raises `LogFault`."""
    connection = await reach(clients)
    admin = clients.admin()
    try:
        async with asking(what, seconds):
            await admin.start()
            yield connection, admin
    finally:
        await admin.close()
        await connection.close()


async def reach(clients: Clients) -> AIOKafkaConnection:
    """Return a connection to a broker, once one answers; the caller closes it.

    Raises `LogFault`: at once if a broker refuses the credentials, else after `wait_s`.
    """
    settings = clients.settings
    clock = asyncio.get_running_loop().time
    pause_s, until = _FIRST_PAUSE_S, clock() + settings.wait_s
    while True:
        try:
            async with asyncio.timeout(settings.ask_s):
                return await connect(clients)
        except _WRONG as fault:
            msg = (
                f"Kafka at {settings.bootstrap} refuses the connection: {message_of(fault)}; {_remedy(fault)}"
            )
            raise LogFault(msg) from fault
        except (errors.KafkaError, OSError, TimeoutError, EOFError) as fault:
            why = message_of(fault)
        if clock() >= until:
            msg = (
                f"no Kafka broker answers at {settings.bootstrap} ({why}); it was waited for "
                f"{settings.wait_s:g} s: start one there, or name another address"
            )
            raise LogFault(msg)
        _logger.warning(
            "waiting-for-broker", broker=settings.bootstrap, why=why, again_in_s=round(pause_s, 1)
        )
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LAST_PAUSE_S, max(until - clock(), _FIRST_PAUSE_S))


def _remedy(fault: BaseException) -> str:
    if isinstance(fault, ssl.SSLError):
        return "name the certificate authority that signed its certificate"
    return "check the user name, the password and the SASL mechanism"


async def connect(clients: Clients) -> AIOKafkaConnection:
    """Connect to the first broker that answers; if none does, raise the error of the last one."""
    last: Exception = errors.KafkaConnectionError("no address is given")
    hosts: Iterable[tuple[str, int, object]]
    hosts = collect_hosts(clients.settings.bootstrap.split(","), randomize=False)
    for host, port, _ in hosts:
        try:
            return await clients.connection(host, port)
        except _WRONG:
            raise
        except (errors.KafkaError, OSError, TimeoutError, EOFError) as fault:
            last = fault
    raise last
