"""A port before a server's that passes bytes on, or swallows them as a network does that has lost its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from support.kafka import HOST


class Blackhole:
    """Forwards bytes until a test drops them; connections that have lost bytes stay silent."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._swallows = False
        self._pipes: set[asyncio.Task[None]] = set()
        self.port = 0

    def swallow(self) -> None:
        """Take everything, and pass nothing on."""
        self._swallows = True

    def heal(self) -> None:
        """Let new connections through."""
        self._swallows = False

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        beyond_reader, beyond = await asyncio.open_connection(HOST, self._target)
        lost = asyncio.Event()
        for pipe in (self._pass(reader, beyond, lost), self._pass(beyond_reader, writer, lost)):
            task = asyncio.create_task(pipe)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                if self._swallows:
                    lost.set()
                if not lost.is_set():
                    writer.write(data)
                    await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def close(self) -> None:
        """End every connection."""
        for task in self._pipes:
            task.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)


@asynccontextmanager
async def blackhole(target: int) -> AsyncIterator[Blackhole]:
    """Open a port before a server's."""
    hole = Blackhole(target)
    server = await asyncio.start_server(hole.connected, HOST, 0)
    hole.port = server.sockets[0].getsockname()[1]
    try:
        yield hole
    finally:
        server.close()
        await hole.close()
