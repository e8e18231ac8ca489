"""The processes of one domain, with topics of their own."""

import asyncio
import re
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from bench.connection import connect
from bench.measurement import BenchFault
from bench.server import clean_environment
from bench.wire import WireResponse, get, post
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import InstanceSettings, Network, Settings
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.log.kafka.settings import KafkaSettings

#: The name of the domain.
DOMAIN = "bench"
#: Seconds that a start, or one rollout, may take; those that an end may.
READY_S, ROLLOUT_S, _END_S = 180.0, 60.0, 30.0
_LOOK_S, _OK, _CONFLICT = 0.02, 200, 409
#: Processes that are started at the same time.
_AT_ONCE = 4
_URL = re.compile(r"http://[0-9.]+:([0-9]+)")


class NodeProcess:
    """One process of a domain: its port, and its pauses: from when until when, by the monotonic clock."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process = process
        self.port = 0
        self.pauses: list[tuple[float, float]] = []
        self._paused_at: float | None = None
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 (it is a pipe)
        async for raw in self.process.stdout:
            line = raw.decode(errors="replace")
            what, _, moment = line.partition(" ")
            if what in {"paused", "resumed"}:
                self._note(what, int(moment) / 1e9)
            elif (found := _URL.search(line)) is not None and not self.port:
                self.port = int(found[1])
            self._wake()
        self._wake()

    def _note(self, what: str, moment: float) -> None:
        """Note a pause or its end; a node that is evicted while it is paused is paused twice."""
        if what == "paused":
            self._paused_at = moment if self._paused_at is None else self._paused_at
        elif self._paused_at is not None:
            self.pauses.append((self._paused_at, moment))
            self._paused_at = None

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def ready(self) -> "NodeProcess":
        """Return once it has printed its URL. Raises `BenchFault` if it ends."""
        await self._until(lambda: self.port > 0, READY_S, "is not ready")
        return self

    async def has_resumed(self, count: int) -> float:
        """Return the moment at which it has resumed for the `count`th time. Raises `BenchFault`."""
        await self._until(lambda: len(self.pauses) >= count, ROLLOUT_S, "has not resumed")
        return self.pauses[count - 1][1]

    async def settled(self) -> None:
        """Return once it is paused no more. Raises `BenchFault`."""
        await self._until(lambda: self._paused_at is None, ROLLOUT_S, "is paused")

    async def _until(self, done: Any, seconds: float, what: str) -> None:  # noqa: ANN401 (a function)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not done():
                    news = self._news
                    if self._reading.done():
                        msg = f"{self.name} has ended; its own message is above"
                        raise BenchFault(msg)
                    await news.wait()
                return
        msg = f"{self.name} {what} after {seconds:.0f} s"
        raise BenchFault(msg)

    async def stop(self) -> None:
        """End it; what has not left after a while is killed."""
        if self.process.returncode is None:
            self.process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self.process.wait()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await cancel_and_wait(self._reading)


class BenchFleet:
    """The processes of a domain on one broker and one agent; the first is the service `rollouts`."""

    def __init__(self, broker: str, consul: str, folder: Path, settings: Mapping[str, str]) -> None:
        prefix = f"bench-{uuid4().hex[:8]}."
        self.network = Network(
            kafka=KafkaSettings(bootstrap=broker, prefix=prefix), consul=ConsulSettings(agent=consul)
        )
        self.folder = folder
        self.nodes: list[NodeProcess] = []
        self._settings = dict(settings)
        #: All processes, the one of `rollouts` first.
        self.processes: list[NodeProcess] = []

    async def instance(self, service: str, name: str, **settings: str) -> NodeProcess:
        """Start an instance of a service, and return it once it is ready. Raises `BenchFault`."""
        return await (await self.launch(service, name, **settings)).ready()

    async def launch(self, service: str, name: str, **settings: str) -> NodeProcess:
        """Start an instance of a service, and do not wait for it."""
        own = Settings(data=str(self.folder), port=0, log_level="error")
        network = msgspec.structs.replace(self.network, instance=InstanceSettings(id=name))
        arguments = msgspec.json.encode((service, own, network)).decode()
        return await self._start(name, "bench.nodes.program", arguments, **settings)

    async def command(self, name: str, *args: str, **settings: str) -> NodeProcess:
        """Start a command of `bookshelf` that runs on Kafka and Consul, and do not wait for it."""
        kafka, consul = self.network.kafka, self.network.consul
        given = ("--broker", kafka.bootstrap, "--consul", consul.agent, "--data", str(self.folder / name))
        settings = {"KAFKA_PREFIX": kafka.prefix, "LOG_LEVEL": "error", **settings}
        return await self._start(name, "bookshelf", *args, *given, **settings)

    async def _start(self, name: str, *command: str, **settings: str) -> NodeProcess:
        process = await create_subprocess_exec(
            *(sys.executable, "-m", *command),
            stdin=DEVNULL,
            stdout=PIPE,
            env=clean_environment({**self._settings, **settings}),
        )
        started = NodeProcess(name, process)
        self.processes.append(started)
        return started

    async def grow(self, size: int) -> None:
        """Start nodes until there are so many; return once all of them are members."""
        while len(self.nodes) < size:
            # not all at once: Consul would not answer in time
            names = [f"node{n}" for n in range(len(self.nodes), min(size, len(self.nodes) + _AT_ONCE))]
            more = [await self.launch("sample", name) for name in names]
            for node in more:
                await node.ready()
            self.nodes += more

    async def ask(self, request: bytes, status: int | None = _OK) -> WireResponse:
        """Send a request to the service `rollouts`. Raises `BenchFault` for another status."""
        async with connect(self.processes[0].port) as once:
            return await once.ask(request, status)

    async def propose(self, change: Mapping[str, str], **fields: object) -> Any:  # noqa: ANN401 (JSON)
        """Propose a change; return where the rollout is, also if it was aborted. Raises `BenchFault`."""
        return await self._decided(post("/cluster/rollouts", {"changes": [change], "wait": 60, **fields}))

    async def commit(self, rollout: str) -> Any:  # noqa: ANN401 (JSON)
        """Commit a prepared rollout of one change; return how it has ended. Raises `BenchFault`."""
        return await self._decided(post(f"/cluster/rollouts/{rollout}/commit", {"changes": 1, "wait": 60}))

    async def roll_back(self, rollout: str) -> None:
        """End a rollout without its change. Raises `BenchFault`."""
        await self._decided(post(f"/cluster/rollouts/{rollout}/rollback", {"wait": 60}))

    async def _decided(self, request: bytes) -> Any:  # noqa: ANN401 (JSON)
        answer = await self.ask(request, None)
        if answer.status not in {_OK, _CONFLICT}:
            msg = f"a rollout was answered {answer.status}: {answer.body[:300].decode(errors='replace')}"
            raise BenchFault(msg)
        return msgspec.json.decode(answer.body)

    async def members(self, count: int) -> None:
        """Return once the domain has so many members, `rollouts` itself included."""
        async with asyncio.timeout(READY_S):
            while True:
                status = msgspec.json.decode((await self.ask(get("/cluster/status"))).body)
                if len(status["nodes"]) == count:
                    return
                await asyncio.sleep(_LOOK_S)

    async def all_resumed(self, counts: Sequence[int]) -> float:
        """Return the moment at which the last node has resumed once more than it had by `counts`."""
        moments = [node.has_resumed(count + 1) for node, count in zip(self.nodes, counts, strict=True)]
        return max(await asyncio.gather(*moments))

    async def settled(self) -> None:
        """Return once no node is paused."""
        await asyncio.gather(*(node.settled() for node in self.nodes))

    def counts(self) -> list[int]:
        """Return how often each node has resumed so far."""
        return [len(node.pauses) for node in self.nodes]

    async def close(self) -> None:
        """End all processes, then remove the topics."""
        await asyncio.gather(*(one.stop() for one in self.processes))
        from bookshelf.log.kafka.clients import Clients  # noqa: PLC0415 (an extra)

        prefix = self.network.kafka.prefix
        admin = Clients(self.network.kafka).admin()
        await admin.start()
        try:
            await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
        finally:
            await admin.close()


@asynccontextmanager
async def open_fleet(broker: str, consul: str, folder: Path, **settings: str) -> AsyncIterator[BenchFleet]:
    """Run a domain with its service `rollouts` until the block ends. `settings`: in capitals, of all."""
    folder.mkdir()  # noqa: ASYNC240 (nothing of it runs yet)
    fleet = BenchFleet(broker, consul, folder, {"CLUSTER_DOMAIN": DOMAIN, **settings})
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fleet.close)
        await fleet.instance("rollouts", "rollouts")
        yield fleet


def now() -> float:
    """Return the seconds of the clock of all processes of this machine."""
    return time.monotonic_ns() / 1e9
