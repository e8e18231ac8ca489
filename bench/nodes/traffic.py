"""Measures how long services pause for rollouts, and what clients of a gateway notice of that."""

import asyncio

from bench.connection import HOST, LoadConnection, connect
from bench.figures import latencies
from bench.measurement import BenchFault
from bench.nodes.commits import setting
from bench.nodes.fleet import BenchFleet, now
from bench.wire import get
from bookshelf.concurrency import cancel_and_wait
from bookshelf.http.server import free_port

#: Requests per second, and the connections that they are divided among.
RATE, _CONNECTIONS = 500, 64
#: Seconds between two rollouts, and until the gateway must know the route.
_PAUSE_S, _KNOWN_S, _OK = 0.1, 60.0, 200
_REQUEST = get("/bookshelf/sample")


class SteadyClients:
    """Sends requests at a constant rate, each when it is due: also if the answers before it are late."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free = asyncio.Queue[LoadConnection]()
        self._open = set[asyncio.Task[None]]()
        #: Seconds from the moment at which each request was due until its answer.
        self.taken_s: list[float] = []
        self.failed = 0

    async def open(self) -> None:
        """Open the connections."""
        for _ in range(_CONNECTIONS):
            self._free.put_nowait(await self._connect())

    async def _connect(self) -> LoadConnection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(LoadConnection, HOST, self._port))[1]

    async def run(self) -> None:
        """Send requests until this is cancelled."""
        began, number = now(), 0
        while True:
            due = began + number / RATE
            await asyncio.sleep(max(0.0, due - now()))
            task = asyncio.create_task(self._send(due))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            number += 1

    async def _send(self, due: float) -> None:
        connection = await self._free.get()
        try:
            answer = await connection.ask(_REQUEST, None)
            self.failed += answer.status != _OK
        except BenchFault:
            self.failed += 1
            connection.close()
            connection = await self._connect()
        self._free.put_nowait(connection)
        self.taken_s.append(now() - due)

    async def finish(self) -> None:
        """Return once all requests that were sent are answered, and close the connections."""
        await asyncio.gather(*self._open)
        while not self._free.empty():
            self._free.get_nowait().close()


async def measure_traffic(fleet: BenchFleet, rounds: int) -> dict[str, float]:
    """Change a setting so often while clients ask through a gateway, and return what they noticed."""
    port = free_port()
    gateway = await fleet.command("gateway", "run", "gateway", "--id", "gateway", "--port", str(port))
    await gateway.ready()
    await _until_known(port)
    clients, before, undone = SteadyClients(port), fleet.counts(), 0
    await clients.open()
    sending = asyncio.create_task(clients.run())
    try:
        for number in range(rounds):
            await asyncio.sleep(_PAUSE_S)
            answer = await fleet.propose(setting(1_000_000 + number), commit=True)
            undone += answer["state"] != "committed"
    finally:
        await cancel_and_wait(sending)
    await clients.finish()
    await fleet.settled()
    await gateway.stop()
    paused_s = [
        resumed - paused
        for node, first in zip(fleet.nodes, before, strict=True)
        for paused, resumed in node.pauses[first:]
    ]
    if not paused_s:
        raise BenchFault("no node was paused: no rollout was committed")
    return {
        **{f"paused_{name}": ms for name, ms in latencies(paused_s).items()},
        **{f"request_{name}": ms for name, ms in latencies(clients.taken_s).items()},
        "request_max_ms": 1e3 * max(clients.taken_s),
        "requests": float(len(clients.taken_s)),
        "failed_requests": float(clients.failed),
        "failed": float(undone),
    }


async def _until_known(port: int) -> None:
    async with asyncio.timeout(_KNOWN_S), connect(port) as once:
        while (await once.ask(_REQUEST, None)).status != _OK:  # noqa: ASYNC110 (as every client does)
            await asyncio.sleep(_PAUSE_S)
