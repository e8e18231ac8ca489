"""Creates, starts and stops all Kafka clients, with safe settings in place of aiokafka's defaults.

The sticky partition assignor divides a topic evenly and leaves members the partitions that they had: a member
still has the state of its former partitions in memory. aiokafka's own sticky assignor keeps the former
partitions in the class, where all members of a process would share them.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.helpers import create_ssl_context
from aiokafka.producer import sender

from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.port import LogFault

#: Seconds that a client may take to stop by itself, before its connections are cut.
_POLITE_S = 5.0
#: Seconds that it may take after it was cancelled.
_CUT_S = 5.0
_logger = structlog.get_logger(__name__)
_starting: "WeakKeyDictionary[Any, asyncio.Task[None]]" = WeakKeyDictionary()


async def start_client(client: Any) -> None:  # noqa: ANN401 (aiokafka has no types)
    """Start a producer or a consumer. If the caller is cancelled, the start itself still continues.

    Stopping the client waits for it: a start that is cancelled would leave its connection open.
    """
    starting = _starting[client] = asyncio.create_task(client.start())
    ignore_result(starting)
    await asyncio.shield(starting)


def wait_for_brokers(client: Any) -> None:  # noqa: ANN401 (aiokafka has no types)
    """Have a client wait for a coordinator while its cluster has no broker.

    A broker that was suspended answers before its session with the controllers is renewed, and until then
    names no brokers, not even itself. aiokafka fails an assertion then; what is raised here it tries again.
    """
    look_up = client.coordinator_lookup

    async def coordinator_lookup(kind: object, key: str) -> object:
        if client.get_random_node() is None:
            msg = "the cluster has no broker just now"
            raise errors.NodeNotReadyError(msg)
        return await look_up(kind, key)

    client.coordinator_lookup = coordinator_lookup


def ignore_result(future: "asyncio.Future[Any]") -> None:
    """Retrieve a future's exception, which is reported elsewhere too, so that asyncio does not log it."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())


def renew_connections(asks: AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Close the connections of a client whose question had no answer in time; it opens others.

    One may have died in silence. aiokafka closes a connection only when a request runs out of its own time,
    not when the question did so before or was cancelled: it would be used until it was idle for nine minutes.
    """
    for connection in list(asks._client._conns.values()):  # noqa: SLF001 (the way to its connections)
        connection.close(reason=CloseReason.CONNECTION_TIMEOUT)


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer without sending its queued records and without ending an open transaction."""
    waiting = producer._message_accumulator  # noqa: SLF001 (stop() would wait for what is in it)
    waiting.fail_all(errors.ProducerClosed())
    queued = [batch for batches in waiting._batches.values() for batch in batches]  # noqa: SLF001 (as above)
    for batch in queued:
        ignore_result(batch._drain_waiter)  # noqa: SLF001 (it fails too, and nothing awaits it)
    await _stop(producer, producer.client)


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer; a member leaves its group."""
    await _stop(consumer, consumer._client)  # noqa: SLF001 (the way to its connections)


async def _stop(stops: Any, client: Any) -> None:  # noqa: ANN401 (aiokafka has no types)
    if (starting := _starting.pop(stops, None)) is not None and not starting.done():
        await asyncio.wait({starting}, timeout=_POLITE_S)
        starting.cancel()
    stopping = asyncio.create_task(stops.stop())
    ignore_result(stopping)
    done, _ = await asyncio.wait({stopping}, timeout=_POLITE_S)
    if not done:
        await client.close()  # its requests then fail at once; it would retry them without end otherwise
        stopping.cancel()
        done, _ = await asyncio.wait({stopping}, timeout=_CUT_S)
    if not done:
        _logger.warning("kafka-client-hangs", client=type(stops).__name__)
    with contextlib.suppress(errors.KafkaError, OSError):
        await client.close()


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[int]).decode


def shares(claims: Mapping[str, Sequence[int]], partitions: Iterable[int]) -> dict[str, list[int]]:
    """Divide the partitions among the members; each claims the partitions that it had before.

    No member gets more than one partition more than another. A partition that two members claim goes to one.
    """
    free = set(partitions)
    each, over = divmod(len(free), len(claims))
    given: dict[str, list[int]] = {}
    # members with the most claims get the surplus partitions, so that the fewest partitions move
    for member in sorted(claims, key=lambda name: (-len(claims[name]), name)):
        most = each + (over > 0)
        given[member] = [p for p in sorted(claims[member]) if p in free][:most]
        over -= len(given[member]) > each
        free.difference_update(given[member])
    for partition in sorted(free):
        given[min(given, key=lambda name: (len(given[name]), name))].append(partition)
    return given


class Assignor:
    """One member's assignor: claims the member's last partitions, and assigns for all if it is the leader."""

    name = "bookshelf"
    version = 0

    def __init__(self) -> None:
        self._mine: list[int] = []

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return the metadata with which the member joins: its topics and its last partitions."""
        return ConsumerProtocolMemberMetadata(self.version, list(topics), _encode(self._mine))

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Divide each topic among the members that subscribe to it; called on the group's leader."""
        given: dict[str, list[tuple[str, list[int]]]] = {member: [] for member in members}
        for topic in sorted({topic for metadata in members.values() for topic in metadata.subscription}):
            wanting = {name: metadata for name, metadata in members.items() if topic in metadata.subscription}
            claims = {name: _claimed(metadata.user_data) for name, metadata in wanting.items()}
            for member, share in shares(claims, cluster.partitions_for_topic(topic) or ()).items():
                given[member].append((topic, sorted(share)))
        return {
            member: ConsumerProtocolMemberAssignment(self.version, share, b"")
            for member, share in given.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember the partitions that the member has now."""
        self._mine = [where.partition for where in assignment.partitions()]


def _claimed(user_data: bytes | None) -> list[int]:
    try:
        return _decode(user_data or b"[]")
    except msgspec.DecodeError:
        return []


#: Seconds in which further errors of the same kind are only counted.
_QUIET_S = 10.0


class _LogFilter(logging.Handler):
    """Logs aiokafka's errors as warnings, at most one of a kind in ten seconds, the rest at level debug."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._logged: dict[str, float] = {}
        self._kept: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Log a line, or count it."""
        text = " ".join(record.getMessage().split())
        if record.levelno < logging.ERROR:
            _logger.debug("kafka-client", said=text)
            return
        kind, now = str(record.msg), time.monotonic()
        if now - self._logged.get(kind, -_QUIET_S) < _QUIET_S:
            self._kept[kind] = self._kept.get(kind, 0) + 1
            return
        self._logged[kind] = now
        why = record.exc_info and repr(record.exc_info[1])
        _logger.warning("kafka-client", said=text, why=why, kept_back=self._kept.pop(kind, 0))


_FILTER = _LogFilter()


def listen() -> None:
    """Log aiokafka's messages from now on; a second call has no effect."""
    logging.getLogger("aiokafka").addHandler(_FILTER)


#: Milliseconds between two tries while the former transaction's markers are written. Measured: 1.4 ms a
#: transaction with these, 24 ms and more with aiokafka's 20 and 100.
_TRANSACTION_PAUSE_MS = 2
#: Seconds that a connection which was refused may take to close.
_PARTING_S = 1.0
#: Bytes of one batch of records; more of one append goes into further batches of the same transaction.
BATCH_BYTES = 512 << 10
#: Bytes that a reader asks a broker for at a time; a larger batch comes whole.
_FETCH_BYTES = 1 << 20
#: The largest record that a topic made by us takes.
RECORD_BYTES = 16 << 20


class Clients:
    """Creates clients that share an address and credentials. Raises `LogFault` if a TLS file is unusable."""

    def __init__(self, settings: KafkaSettings) -> None:
        listen()
        self.settings = settings
        self._way_in: dict[str, Any] = {
            "client_id": "bookshelf",
            "security_protocol": settings.security_protocol,
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password,
            "ssl_context": _ssl_context(settings),
        }
        self._common = {
            **self._way_in,
            "bootstrap_servers": settings.bootstrap.split(","),
            "request_timeout_ms": _ms(settings.ask_s),
        }

    async def connection(self, host: str, port: int) -> AIOKafkaConnection:
        """Connect once, without retry; raises aiokafka's errors of authentication and TLS as they are."""
        timeout_ms = _ms(self.settings.ask_s)
        connection = AIOKafkaConnection(host, port, request_timeout_ms=timeout_ms, **self._way_in)
        try:
            await connection.connect()
        except BaseException:
            closed = connection.close()
            if connection._protocol is not None:  # noqa: SLF001 (it was open: TLS takes a moment to part)
                await asyncio.wait({closed}, timeout=_PARTING_S)
            raise
        return connection

    def admin(self) -> AIOKafkaAdminClient:
        """Return a client for managing topics and reading the offsets of groups."""
        return AIOKafkaAdminClient(**self._common)

    def producer(self, transactional_id: str) -> AIOKafkaProducer:
        """Return a producer whose start fences the former one of that transactional id."""
        sender.BACKOFF_OVERRIDE = _TRANSACTION_PAUSE_MS / 1000
        producer = AIOKafkaProducer(
            **self._common,
            transactional_id=transactional_id,
            transaction_timeout_ms=_ms(self.settings.transaction_s),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=RECORD_BYTES,
            retry_backoff_ms=_TRANSACTION_PAUSE_MS,
        )
        wait_for_brokers(producer.client)
        return producer

    def reader(self) -> AIOKafkaConsumer:
        """Return a consumer outside any group, for partitions that are assigned to it."""
        return AIOKafkaConsumer(**self._common, **self._reading)

    def asker(self) -> AIOKafkaConsumer:
        """Return a consumer for querying offsets, those of open transactions included."""
        return AIOKafkaConsumer(**self._common, **{**self._reading, "isolation_level": "read_uncommitted"})

    def member(self, group: str, assignor: Assignor) -> AIOKafkaConsumer:
        """Return a consumer that joins a group for the assignment of partitions, and reads no records."""
        settings = self.settings
        # a join is answered once every member has drained, so it may take longer than other requests
        patient = {**self._common, "request_timeout_ms": _ms(settings.rebalance_s + settings.ask_s)}
        consumer = AIOKafkaConsumer(
            **{**patient, **self._reading, "auto_offset_reset": "earliest"},
            group_id=group,
            partition_assignment_strategy=(assignor,),
            heartbeat_interval_ms=_ms(settings.heartbeat_s),
            session_timeout_ms=_ms(settings.session_s),
            rebalance_timeout_ms=_ms(settings.rebalance_s),
        )
        wait_for_brokers(consumer._client)  # noqa: SLF001 (the way to its connections)
        return consumer

    @property
    def _reading(self) -> dict[str, Any]:
        # no reset: a missing offset raises an error, and no other one is read in its place
        return {
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "check_crcs": True,
            "fetch_max_bytes": _FETCH_BYTES,
            "max_partition_fetch_bytes": _FETCH_BYTES,
        }


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    if settings.security_protocol not in {"SSL", "SASL_SSL"}:
        return None
    files = {
        "cafile": settings.ssl_cafile or None,
        "certfile": settings.ssl_certfile or None,
        "keyfile": settings.ssl_keyfile or None,
    }
    try:
        context: ssl.SSLContext = create_ssl_context(**files)
    except (OSError, ssl.SSLError) as fault:
        named = ", ".join(name for name in files.values() if name)
        msg = f"the TLS files for Kafka ({named}) cannot be used: {fault}; name files in PEM format"
        raise LogFault(msg) from fault
    return context
