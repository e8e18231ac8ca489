"""Accepts all connections that wait at a port as soon as one was accepted.

uvloop accepts one in each iteration of the loop. While its iterations are long, because connections that
are there already ask again and again, others would wait for many of them.
"""

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Callable
from ssl import SSLContext

#: Connections that are accepted at once; more wait for the next iteration of the loop.
_AT_ONCE = 256

#: A client that was answered with SYN-ACK takes its connection for made: it needs this time to complete it.
_BEGUN_S = 0.02

#: Option of a socket, and a program of the classic Berkeley packet filter: see socket(7) and bpf(4).
_SO_ATTACH_FILTER = 26
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load byte 13 of the TCP header: its flags
    (0x45, 0, 1, 0x02),  # if SYN is set, take the next instruction, else the one after it
    (0x06, 0, 0, 0),  # drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # keep it whole
)


def refuse_new(listening: socket.socket) -> None:
    """Let no new connection begin at a listening socket; those that are begun may be completed.

    A shorter backlog would not do: the system drops the last packet of a handshake then, and its client,
    for which the connection is made, is reset later. Only Linux has such filters: elsewhere nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    pointer = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(program))
    with contextlib.suppress(OSError):  # refused in a sandbox: connections that come now may be reset
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)


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
        """Accept the connections that wait in the system: closing the listener would reset them.

        New ones are not begun meanwhile: their clients try again after a second, and are refused.
        """
        for one in self._listening:
            refuse_new(one)
        await asyncio.sleep(_BEGUN_S)  # sleep: for the rest of handshakes that were begun before
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
