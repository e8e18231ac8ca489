"""Two gateways are replaced one after the other under load, and no request fails."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from support.consul import Agent
from support.foreign_services import visiting
from support.process import Process
from support.reserved_ports import reserved_ports
from support.upstream import HOST, Service

from bookshelf.http.message import Request, Response

pytestmark = pytest.mark.needs("consul")
DEADLINE_S = 60.0
CLIENTS = 8


async def slowly(_request: Request) -> Response:
    await asyncio.sleep(0.02)  # sleep: so that requests are in progress when a gateway gets SIGTERM
    return Response(200, {}, b"done")


@pytest.fixture
async def foreign_service(consul_agent: Agent) -> AsyncIterator[Service]:
    async with visiting(consul_agent, slowly) as service:
        yield service


class Load:
    """Clients that keep their connections, over both gateways as a balancer would bring them there."""

    def __init__(self, *ports: int) -> None:
        self.ports = ports
        self.answered = 0
        self.failed: list[str] = []

    async def client(self, turn: int) -> None:
        """Send requests until stopped; a gateway that accepts no connection is skipped."""
        while True:
            turn += 1
            with suppress(ConnectionRefusedError):
                reader, writer = await asyncio.open_connection(HOST, self.ports[turn % 2])
                try:
                    await self._ask_on(reader, writer)
                finally:
                    writer.close()
            await asyncio.sleep(0)  # sleep: others have their turn, when both gateways refuse

    async def _ask_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(20):
            writer.write(b"GET /bookshelf/guests HTTP/1.1\r\nHost: books.localhost\r\n\r\n")
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(4) if b"200 OK" in head else b""
            except (OSError, asyncio.IncompleteReadError) as fault:
                self.failed.append(repr(fault))
                return
            if body != b"done":
                self.failed.append(head.decode())
            self.answered += 1
            if b"connection: close" in head.lower():
                return

    async def more(self, count: int) -> None:
        """Return once so many more were answered."""
        goal = self.answered + count
        while self.answered < goal:  # noqa: ASYNC110 (clients have no event for it)
            await asyncio.sleep(0.01)  # sleep: between two looks


async def gateway(agent: Agent, port: int) -> Process:
    made = Process("run", "gateway", "--consul", f"{HOST}:{agent.ports.http}", "--port", str(port))
    while "is ready at" not in made.printed:
        assert made.alive, made.ended()
        await asyncio.sleep(0.02)  # sleep: between two looks
    return made


async def rolled(agent: Agent, ports: list[int], load: Load) -> None:
    """Replace each gateway, and look how the one before has ended."""
    running = [await gateway(agent, port) for port in ports]
    async with asyncio.TaskGroup() as tasks:
        clients = [tasks.create_task(load.client(turn)) for turn in range(CLIENTS)]
        try:
            for number, port in enumerate(ports):
                await load.more(200)
                running[number].send(signal.SIGTERM)
                assert (await asyncio.to_thread(running[number].ended)).code == 0
                running[number] = await gateway(agent, port)
            await load.more(200)
        finally:
            for task in clients:
                task.cancel()
            for one in running:
                one.kill()


async def test_no_request_fails_while_two_gateways_are_replaced(
    consul_agent: Agent, foreign_service: Service
) -> None:
    ports = reserved_ports(2)
    load = Load(*ports)
    async with asyncio.timeout(DEADLINE_S):
        await rolled(consul_agent, ports, load)
    assert load.failed == []
    assert load.answered <= len(foreign_service.asked)
