"""The connections to one address: the one used last is used again, and those idle too long are closed."""

import asyncio
from collections import deque
from collections.abc import Callable
from ssl import SSLContext

from bookshelf.http.client_connection import ClientConnection, Unreachable

#: Seconds after which an idle connection is not used again; servers keep theirs longer (bookshelf's 75 s).
_KEPT_S = 50.0


#: Returns why connecting to an address is not allowed; None if it is allowed.
AddressCheck = Callable[[str], str | None]


class ConnectionPool:
    """Up to `most` connections to one address; further exchanges wait in order."""

    def __init__(
        self,
        place: tuple[str, int],
        most: int,
        connect_s: float,
        objection: AddressCheck | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self._objection = objection
        self._tls = tls
        self._place = place
        self._connect_s = connect_s
        self._room = self._most = most
        self._free: list[ClientConnection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def empty(self) -> bool:
        """True if there is no connection and no exchange waits for one."""
        return self._room == self._most and not self._waiting

    def prune(self) -> None:
        """Close the connections that would not be used again."""
        free, self._free = self._free, []
        for connection in free:
            if connection.free and connection.rested_s < _KEPT_S:
                self._free.append(connection)
            else:
                self._discard(connection)

    async def take(self) -> ClientConnection:
        """Return an idle connection or a new one, or wait for one. Raises `Unreachable`."""
        while True:
            while self._free:
                connection = self._free.pop()
                if connection.free and connection.rested_s < _KEPT_S:
                    return connection
                self._discard(connection)
            if self._room > 0:
                return await self._opened()
            await self._turn()

    def give(self, connection: ClientConnection) -> None:
        """Return a connection to the pool, which keeps it if it can be used again."""
        if connection.release():
            self._free.append(connection)
            self._next()
        else:
            self._discard(connection)

    def close(self) -> None:
        """Close the idle connections."""
        while self._free:
            self._discard(self._free.pop())

    async def _opened(self) -> ClientConnection:
        self._room -= 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_s):
                connection = (await loop.create_connection(ClientConnection, *self._place, ssl=self._tls))[1]
            self._check(connection)
            return connection  # noqa: TRY300 (a refused address makes room, too)
        except BaseException as fault:
            self._room += 1
            self._next()
            if isinstance(fault, (OSError, TimeoutError)):
                raise Unreachable(f"{self._place[0]}:{self._place[1]}: {fault}") from fault
            raise

    def _check(self, connection: ClientConnection) -> None:
        # checked after connecting, because each look-up of a name may give another address
        why = self._objection(connection.peer) if self._objection is not None else None
        if why is not None:
            connection.close()
            raise ConnectionRefusedError(why)

    async def _turn(self) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._next()  # this exchange had the turn and passes it on
            raise

    def _discard(self, connection: ClientConnection) -> None:
        connection.close()
        self._room += 1
        self._next()

    def _next(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
