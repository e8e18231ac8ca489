"""Connections that are kept for the next request: the last one used is used first, old ones are not."""

import asyncio
from collections import deque
from collections.abc import Callable

from bookshelf.http.client.connection import ClientConnection
from bookshelf.http.client.errors import Unreachable

#: Seconds after which a kept connection is not used again: servers keep theirs longer (bookshelf's 75 s).
_KEPT_S = 50.0


#: Says why no one connects to an address; None if one may.
AddressCheck = Callable[[str], str | None]


class ConnectionPool:
    """The connections to one address."""

    def __init__(
        self, address: str, port: int, most: int, connect_s: float, objection: AddressCheck | None = None
    ) -> None:
        self._objection = objection
        self._place = (address, port)
        self._connect_s = connect_s
        self._room = self._most = most
        self._free: list[ClientConnection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def empty(self) -> bool:
        """Whether there is no connection, and no one waits for one."""
        return self._room == self._most and not self._waiting

    def prune(self) -> None:
        """Hang up those that would not be used again."""
        free, self._free = self._free, []
        for line in free:
            if line.free and line.rested_s < _KEPT_S:
                self._free.append(line)
            else:
                self._gone(line)

    async def take(self) -> ClientConnection:
        """Return a connection that no one uses. Raises `Unreachable`."""
        while True:
            while self._free:
                line = self._free.pop()
                if line.free and line.rested_s < _KEPT_S:
                    return line
                self._gone(line)
            if self._room > 0:
                return await self._opened()
            await self._turn()

    def give(self, line: ClientConnection) -> None:
        """Take back a connection; it is kept if it can be used again."""
        if line.release():
            self._free.append(line)
            self._next()
        else:
            self._gone(line)

    def close(self) -> None:
        """Hang up those that no one uses."""
        while self._free:
            self._gone(self._free.pop())

    async def _opened(self) -> ClientConnection:
        self._room -= 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_s):
                line = (await loop.create_connection(ClientConnection, *self._place))[1]
            self._check(line)
            return line  # noqa: TRY300 (what is objected to makes room, too)
        except BaseException as fault:
            self._room += 1
            self._next()
            if isinstance(fault, (OSError, TimeoutError)):
                raise Unreachable(f"{self._place[0]}:{self._place[1]}: {fault}") from fault
            raise

    def _check(self, line: ClientConnection) -> None:
        # only now: a name may mean another address each time that it is looked up
        why = self._objection(line.peer) if self._objection is not None else None
        if why is not None:
            line.close()
            raise ConnectionRefusedError(why)

    async def _turn(self) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._next()  # the turn was this one's, and goes on
            raise

    def _gone(self, line: ClientConnection) -> None:
        line.close()
        self._room += 1
        self._next()

    def _next(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
