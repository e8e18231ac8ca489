"""A port before a server's, as one client's way to it, which can be cut: it refuses, or is silent."""

import asyncio
from contextlib import suppress
from typing import Literal

from support.kafka_proxy import HOST, BackgroundLoop
from support.reserved_ports import reserved_ports

#: `refused`: its connections are reset and new ones refused, as with a machine that is up and has no such
#: server. `silent`: nothing arrives, nothing is answered, as behind a firewall that drops all packets.
Cut = Literal["refused", "silent"]


class CutWire:
    """Passes bytes on, in a thread of its own. What a silent wire holds arrives when it is healed."""

    def __init__(self, background_loop: BackgroundLoop, target: int, port: int | None = None) -> None:
        self._background = background_loop
        self._target = target
        self.port = port or reserved_ports(1)[0]
        self._server: asyncio.Server | None = None
        self._passes = asyncio.Event()
        self._ends: set[asyncio.StreamWriter] = set()
        self.heal()

    def cut(self, how: Cut) -> int:
        """Cut it, until it is healed; return how many connections had come through it."""
        return self._background.run(self._refuse() if how == "refused" else self._silence())

    async def _silence(self) -> int:
        self._passes.clear()
        return len(self._ends) // 2

    async def _refuse(self) -> int:
        count = len(self._ends) // 2
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            end.transport.abort()
        return count

    def heal(self) -> None:
        """Pass everything on again."""
        self._background.run(self._healed())

    async def _healed(self) -> None:
        self._passes.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, HOST, self.port)

    def close(self) -> None:
        """Refuse all connections from now on."""
        self.cut("refused")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            await self._passes.wait()
            beyond_reader, beyond = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            self._ends.discard(writer)
            return
        self._ends.add(beyond)
        await asyncio.gather(self._pass(reader, beyond), self._pass(beyond_reader, writer))
        self._ends -= {writer, beyond}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                await self._passes.wait()
                writer.write(piece)
                await writer.drain()
        writer.close()
