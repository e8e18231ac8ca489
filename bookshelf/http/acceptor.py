"""Accepts all connections that wait at a port as soon as one was accepted.

uvloop accepts one in each iteration of the loop. While its iterations are long, because connections that
are there already ask again and again, others would wait for many of them.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from ssl import SSLContext

#: Connections that are accepted at once; more wait for the next iteration of the loop.
_AT_ONCE = 256


class Acceptor:
    """Makes the protocols of a listener. From `attach` to `close` it accepts what waits there, too."""

    def __init__(self, make: Callable[[], asyncio.Protocol], tls: SSLContext | None, tls_s: float) -> None:
        self._make = make
        self._tls = tls
        self._tls_s = tls_s
        self._listening: list[socket.socket] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._looks = False

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a connection that the loop has accepted."""
        if not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_soon(self._look)
        return self._make()

    def attach(self, listener: asyncio.Server) -> None:
        """Accept from the sockets of a listener."""
        self._listening = [socket.socket(fileno=socket.dup(one.fileno())) for one in listener.sockets]
        for one in self._listening:
            one.settimeout(0)

    def close(self) -> None:
        """Accept no more; connections that were accepted are opened yet."""
        while self._listening:
            self._listening.pop().close()

    async def accept_last(self) -> None:
        """Accept the connections that wait in the system: closing the listener would reset them."""
        for one in self._listening:
            one.listen(0)  # the system admits no more meanwhile; their clients try again, and are refused
        while self._accept():
            pass
        if self._opening and self._tls is None:  # a handshake takes as long as its client wants
            await asyncio.wait(self._opening)

    def _look(self) -> None:
        self._looks = False
        if self._accept() == _AT_ONCE:
            self._looks = True
            asyncio.get_running_loop().call_soon(self._look)

    def _accept(self) -> int:
        """Accept connections that wait; return how many. An error is left to the loop, which reports it."""
        number = 0
        for listening in self._listening:
            with contextlib.suppress(OSError):
                while number < _AT_ONCE:
                    accepted, _ = listening.accept()
                    accepted.settimeout(0)
                    number += 1
                    opening = asyncio.get_running_loop().create_task(self._open(accepted))
                    self._opening.add(opening)
                    opening.add_done_callback(self._opening.discard)
        return number

    async def _open(self, accepted: socket.socket) -> None:
        """Make a connection of an accepted socket. One that ends in its TLS handshake is none."""
        loop = asyncio.get_running_loop()
        tls_s = self._tls_s if self._tls is not None else None
        with contextlib.suppress(OSError, TimeoutError):
            await loop.connect_accepted_socket(
                self._make, accepted, ssl=self._tls, ssl_handshake_timeout=tls_s
            )
