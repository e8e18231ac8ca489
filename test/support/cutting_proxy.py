"""Between a gateway and services: passes bytes on, or cuts connections, also just before an answer."""

import asyncio
import json
from typing import Any

from support.kafka_proxy import HOST, BackgroundLoop


class CuttingProxy:
    """Proxies before ports, made when they are first asked for; they run in a thread of their own."""

    def __init__(self, background_loop: BackgroundLoop) -> None:
        self._backstage = background_loop
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._ends: set[asyncio.StreamWriter] = set()
        #: How many answers are still to be lost.
        self.answers_to_lose = 0

    async def rewrite(self, body: bytes) -> bytes:
        """Replace the ports of the instances in an answer of Consul by ports of proxies."""
        found: Any = json.loads(body)
        if not isinstance(found, list):
            return body
        for entry in found:
            service = entry.get("Service")
            if service and service.get("Port"):
                host = service.get("Address") or entry["Node"]["Address"]
                service["Port"] = await self._proxy(host, service["Port"])
        return json.dumps(found).encode()

    async def _proxy(self, host: str, port: int) -> int:
        if (host, port) not in self._servers:

            async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._connected(host, port, reader, writer)

            self._servers[host, port] = await asyncio.start_server(connected, HOST, 0)
        made: int = self._servers[host, port].sockets[0].getsockname()[1]
        return made

    async def _connected(
        self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            beyond_reader, beyond = await asyncio.open_connection(host, port)
        except OSError:
            writer.transport.abort()
            return
        self._ends |= {writer, beyond}
        await asyncio.gather(self._pass(reader, beyond), self._pass(beyond_reader, writer, answers=True))
        self._ends -= {writer, beyond}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        try:
            while piece := await reader.read(1 << 16):
                if answers and self.answers_to_lose > 0:
                    self.answers_to_lose -= 1
                    writer.transport.abort()
                    return
                writer.write(piece)
                await writer.drain()
        except OSError:
            writer.transport.abort()
        else:
            writer.close()

    def cut(self) -> None:
        """Cut every connection."""
        self._backstage.tell(self._cut)

    def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    def lose_answers(self, count: int) -> None:
        """Let so many requests be carried out, and cut their connections in place of the answers."""
        self.answers_to_lose = count

    def close(self) -> None:
        """Close every port, and every connection."""

        def closed() -> None:
            for server in self._servers.values():
                server.close()
            self._cut()

        self._backstage.tell(closed)
