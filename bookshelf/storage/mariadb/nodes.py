"""The node that an instance is connected to: one server, or one node of a Galera cluster after the other.

All connections of an instance are to one node, so what it reads never goes back in time. When that node is
lost, or no longer a part of its cluster, all of them are closed, and the next node is used from then on.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from weakref import WeakSet

import asyncmy
import structlog
from asyncmy.constants import CLIENT, FIELD_TYPE
from asyncmy.converters import conversions
from asyncmy.errors import Error

from bookshelf.storage.mariadb.address import MariaDbAddress, read_address
from bookshelf.storage.shared.database import Timeouts

# it logs each note of the server, as that a database to drop does not exist
logging.getLogger("asyncmy").setLevel(logging.ERROR)
# it logs each connection that cannot be rolled back, as all those to a node that was left
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
_logger = structlog.get_logger(__name__)

#: The state of a node that has all rows of its cluster.
_SYNCED = "4"
#: Seconds that a node has to answer while there are others.
_SILENT_S = 1.5
_STATUS = "SHOW STATUS WHERE variable_name IN ('wsrep_ready', 'wsrep_local_state', 'wsrep_provider_name')"


def _number(text: str | bytes) -> int | float:
    """Return a decimal as the number that SQLite has: sums of integers are integers."""
    read = text.decode() if isinstance(text, bytes) else text
    return float(read) if "." in read else int(read)


_CONVERSIONS = {**conversions, FIELD_TYPE.DECIMAL: _number, FIELD_TYPE.NEWDECIMAL: _number}


def is_usable(status: Mapping[str, str]) -> bool:
    """Return True for a server without Galera, and for a node that is ready and has all rows."""
    if not status.get("wsrep_provider_name"):
        return True
    return status.get("wsrep_ready") == "ON" and status.get("wsrep_local_state") == _SYNCED


def keyring_place(url: str) -> tuple[Callable[[], Awaitable[Any]], str]:
    """Return what connects to the nodes of an address, and the database of the keys there.

    Raises `StorageFault`.
    """
    address = read_address(url)
    session = "SET NAMES utf8mb4, sql_mode = 'STRICT_ALL_TABLES'"
    return NodeChoice(address, Timeouts(), session).connect, f"{address.database}_keyring"


#: Host and port.
Host = tuple[str, int]


async def addresses(hosts: Sequence[Host]) -> tuple[Host, ...]:
    """Return every address that names have now, each once; a name without one as it is."""
    found: dict[Host, None] = {}
    for host, port in hosts:
        try:
            listed = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            found[host, port] = None
        else:
            # of one family: `localhost` has an address of each, and is one server
            family = listed[0][0]
            found |= dict.fromkeys((str(where[0]), port) for kind, *_, where in listed if kind == family)
    return tuple(found)


class NodeChoice:
    """Connects to the node used last, else to the next one that is ready.

    `session`: the first statement of each connection.
    """

    def __init__(self, address: MariaDbAddress, patience: Timeouts, session: str) -> None:
        self._address = address
        self._patience = patience
        self._session = session
        self._all: tuple[Host, ...] = address.hosts
        #: Host and port of the node that is used now.
        self.node: Host = random.choice(address.hosts)  # noqa: S311 (spreads instances over the nodes)
        self._connections: WeakSet[Any] = WeakSet()
        self._asking: asyncio.Task[None] | None = None

    @property
    def several(self) -> bool:
        """True if there is another node to use."""
        return len(self._all) > 1

    async def _look_up(self) -> None:
        """Learn the addresses of the names: one name can lead to all nodes of a cluster, which grows."""
        try:
            async with asyncio.timeout(self._patience.connect_s):
                found = await addresses(self._address.hosts)
        except TimeoutError:
            return  # those that were known before may answer
        if self._connections and self.node not in found:
            found = (self.node, *found)  # its connections are used until it is left
        if found != self._all:
            self._all = found
            if self.node not in found:
                self.node = random.choice(found)  # noqa: S311 (as above)

    async def connect(self) -> Any:  # noqa: ANN401 (the driver is untyped)
        """Connect to a node with all rows that any has shown before. Raises what the driver raises."""
        fault: BaseException | None = None
        if not (self._connections and self.several):  # a single node may have got others meanwhile
            await self._look_up()
        for _ in self._all:
            node = self.node
            try:
                connection = await self._connect_to(node)
            except (Error, OSError, TimeoutError) as found:
                fault = found if fault is None else fault
                self._leave(node, found)
            else:
                if node == self.node:  # else it was left meanwhile
                    self._connections.add(connection)
                    return connection
                connection.close()
        raise fault if fault is not None else ConnectionResetError("the nodes were left, one after the other")

    def _leave(self, node: Host, fault: BaseException) -> None:
        """Use the next node from now on, unless this one was left already; close all connections to it."""
        if node != self.node or not self.several:
            return
        self.node = self._all[(self._all.index(node) + 1) % len(self._all)]
        if self._connections:
            host, port = node
            why = str(fault) or type(fault).__name__
            _logger.warning("database-node-left", node=f"{host}:{port}", why=why)
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    async def leave_if_silent(self) -> None:
        """Leave the node if it does not answer a new connection. Concurrent callers share one question."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        node = self.node
        try:
            connection = await self._opened(node)
            connection.close()
        except (Error, OSError, TimeoutError) as fault:
            self._leave(node, fault)
        finally:
            self._asking = None

    async def _connect_to(self, node: Host) -> Any:  # noqa: ANN401 (the driver is untyped)
        connection = await self._opened(node)
        if self.several:
            try:
                async with asyncio.timeout(self._patience.connect_s), connection.cursor() as cursor:
                    # waits until the node has applied what its cluster had committed when it was asked
                    await cursor.execute("SET SESSION wsrep_sync_wait = 1")
                    await cursor.execute("SELECT COUNT(*) FROM information_schema.engines")
                    await cursor.execute("SET SESSION wsrep_sync_wait = 0")
            except BaseException:
                connection.close()
                raise
        return connection

    async def _opened(self, node: Host) -> Any:  # noqa: ANN401 (the driver is untyped)
        """Connect to a node, and refuse one that is not ready."""
        host, port = node
        connect_s = min(_SILENT_S, self._patience.connect_s) if self.several else self._patience.connect_s
        async with asyncio.timeout(connect_s):
            connection = await asyncmy.connect(
                host=host,
                port=port,
                database="information_schema",  # statements name the databases of their tables
                user=self._address.user,
                password=self._address.password,
                charset="utf8mb4",
                client_flag=CLIENT.FOUND_ROWS,
                conv=_CONVERSIONS,
                init_command=self._session,
                connect_timeout=connect_s,
            )
            try:
                async with connection.cursor() as cursor:
                    await cursor.execute(_STATUS)
                    status = dict(await cursor.fetchall())
            except BaseException:
                connection.close()
                raise
        if not is_usable(status):
            connection.close()
            msg = f"the node at {host}:{port} is not synchronised with its cluster"
            raise ConnectionRefusedError(msg)
        return connection
