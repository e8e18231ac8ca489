"""Connects to Kafka at the start, and waits for a broker if none answers."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection, collect_hosts

from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.faults import asking, message_of
from bookshelf.log.port import LogFault

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
    for host, port, _ in _hosts(clients.settings.bootstrap):
        try:
            return await clients.connection(host, port)
        except _WRONG:
            raise
        except (errors.KafkaError, OSError, TimeoutError, EOFError) as fault:
            last = fault
    raise last


def _hosts(bootstrap: str) -> Iterable[tuple[str, int, object]]:
    hosts: Iterable[tuple[str, int, object]] = collect_hosts(bootstrap.split(","), randomize=False)
    return hosts
