"""Creates all Kafka clients, with safe settings in place of aiokafka's defaults."""

import asyncio
import logging
import ssl
import time
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.helpers import create_ssl_context
from aiokafka.producer import sender

from bookshelf.log.kafka.assignor import Assignor
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.port import LogFault

#: Seconds in which further errors of the same kind are only counted.
_QUIET_S = 10.0
_logger = structlog.get_logger(__name__)


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
        return AIOKafkaProducer(
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
        return AIOKafkaConsumer(
            **{**patient, **self._reading, "auto_offset_reset": "earliest"},
            group_id=group,
            partition_assignment_strategy=(assignor,),
            heartbeat_interval_ms=_ms(settings.heartbeat_s),
            session_timeout_ms=_ms(settings.session_s),
            rebalance_timeout_ms=_ms(settings.rebalance_s),
        )

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
