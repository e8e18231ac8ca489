"""Measures rollouts to the nodes of one domain on the embedded log.

The nodes are agents in this process; each holds one setting and has one service, which a client asks all the
time.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.in_process import open_infrastructure
from bench.measurement import BenchFault, Figures
from bench.memory import resident
from bookshelf.cluster.domain import RolloutLimits, domain_aggregate
from bookshelf.cluster.handlers import AGENT_COMMANDS, rollout_routes
from bookshelf.cluster.node import DomainNode
from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.item import ItemChange, ItemProblem
from bookshelf.cqrs.service import Service
from bookshelf.discovery.port import Instance
from bookshelf.http.message import Request, Response, request
from bookshelf.http.problem import Problem
from bookshelf.log.port import NewRecord
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.domain_client import DomainClient
from bookshelf.runtime.agent.eviction import NODE_ADDRESS, evict_absent_nodes
from bookshelf.runtime.agent.gate import Admissions
from bookshelf.runtime.agent.item import AppliedItem, Undo
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost

#: Rollouts that are measured, those before them; requests per second; seconds that one step may take.
_ROUNDS, _WARM_UP, _RATE, _PATIENCE_S, _LOOK_S = 15, 3, 500, 60.0, 0.001
_OK, _APPENDS = 200, 100
#: Rollouts one after the other, to see what grows; the first ones of them fill what has a limit.
_MANY, _FILLING = 1000, 200
_DOMAIN = domain_aggregate(RolloutLimits())
_ROLLOUTS = Service(
    name="rollouts",
    summary="Rollouts",
    tags=("cluster", "rollouts"),
    port=0,
    runs=(_DOMAIN,),
    serves=rollout_routes(_DOMAIN, "bench", lambda _change: ()),
)
FACTS: dict[str, Any] = {
    "embedded": "agents in one process, on one SQLite log with an fsync for each append; no network",
    "embedded: rounds": _ROUNDS,
    "embedded: committed": "from the proposal of a setting with its commit until the last node serves it",
    "embedded: answered": "until the administrator has the answer of that proposal",
    "embedded: paused": f"seen by a client with {_RATE} requests/s at one node: the time of refusals",
    "embedded: many": f"{_MANY} rollouts to 3 nodes in turn, after {_FILLING} more; memory, files of all",
    "embedded: append": "the log alone: one append, until its tail has it",
    "embedded: joined": "of one more node, until it is a member and admits requests",
    "embedded: evicted": "from the end of a node's registration until it is no member; 3 s are its patience",
}


class _Setting:
    """A kind of items with one setting, which is only kept."""

    def __init__(self) -> None:
        self.content = ""

    def check(self, _change: ItemChange) -> tuple[ItemProblem, ...]:
        return ()

    def concerns(self, _change: ItemChange) -> None:
        return None

    async def load(self, change: ItemChange) -> AppliedItem:
        return AppliedItem(lambda: self._apply(change.content))

    def _apply(self, content: str) -> Undo:
        former, self.content = self.content, content

        def undo() -> None:
            self.content = former

        return undo


class _DomainMember:
    """One node, with one service."""

    def __init__(self, number: int, ports: Infrastructure) -> None:
        self.name = f"node{number}"
        self.setting = _Setting()
        host, port = "127.0.0.1", 40_000 + number
        address = f"http://{host}:{port}"
        self.instance = Instance(
            id=self.name,
            service="counter",
            address=host,
            port=port,
            tags=("counter",),
            meta={NODE_ADDRESS: address},
        )
        self.machine = DomainNode(self.name, ports.ids.new(), address, ["counter"], "1")
        policy, admissions = PolicyGate(ports.callers), Admissions(b"bench")
        self.gate = ServiceGate("counter", policy, self.machine.revision_of, admissions)
        self.client = DomainClient(
            *(ports.discovery, ports.transport, ports.callers, _ROLLOUTS.tags, AGENT_COMMANDS),
            lambda: len(self.machine.domain.members),
        )
        self.agent = NodeAgent(
            "bench",
            self.machine,
            ports.log,
            {"settings": self.setting},
            Pause({"counter": self.gate}),
            self.client.send,
            ports.clock.now,
            drain_s=5.0,
            contact_s=22.0,
            silence_s=2.0,
        )
        self._discovery = ports.discovery

    async def start(self) -> None:
        await self._discovery.register(self.instance)
        await self.agent.start()
        await self.agent.joined()

    async def serves(self, content: str) -> None:
        # what is measured is looked at often, and one node at a time: an assignment causes no event
        while self.setting.content != content or self.gate.paused is not None:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(_LOOK_S)


class _Client:
    """Asks one node all the time, and notes how long it is refused."""

    def __init__(self, gate: ServiceGate) -> None:
        self._gate = gate
        #: Milliseconds of each pause, and the number of requests.
        self.pauses_ms: list[float] = []
        self.requests = 0

    async def run(self) -> None:
        refused_at: float | None = None
        while True:
            self.requests += 1
            now = time.perf_counter()
            if await self._is_answered():
                if refused_at is not None:
                    self.pauses_ms.append(1e3 * (time.perf_counter() - refused_at))
                refused_at = None
            elif refused_at is None:
                refused_at = now
            await asyncio.sleep(1 / _RATE)

    async def _is_answered(self) -> bool:
        async def answer(_request: Request, _path: Any) -> Response:  # noqa: ANN401 (a path's values)
            return Response(_OK, {})

        try:
            await self._gate.around(answer, "/counter", request("GET", "/counter"), {})
        except Problem:
            return False
        return True


@asynccontextmanager
async def _domain(ports: Infrastructure, size: int) -> AsyncIterator[tuple[ServiceHost, list[_DomainMember]]]:
    async with AsyncExitStack() as stack:
        host = ServiceHost(_ROLLOUTS, ports, "127.0.0.1", 0)
        stack.push_async_callback(host.stop)
        await host.start()
        members = [_DomainMember(number, ports) for number in range(size)]
        for member in members:
            stack.push_async_callback(member.agent.stop)
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*(member.start() for member in members))
        yield host, members


async def _propose(host: ServiceHost, setting: str) -> None:
    """Change the setting and commit. Raises `BenchFault` if it is not committed."""
    body = {"changes": [{"kind": "settings", "content": setting}], "commit": True, "wait": 30}
    content = msgspec.json.encode(body)
    made = request("POST", "/cluster/rollouts", content, Content_Type="application/json")
    answer = await host.api.handle(made)
    if answer.status != _OK:
        msg = f"a rollout was answered {answer.status}: {answer.body!r}"
        raise BenchFault(msg)


async def _rollouts(host: ServiceHost, members: Sequence[_DomainMember]) -> dict[str, float]:
    client = _Client(members[-1].gate)
    asking = asyncio.create_task(client.run())
    committed_ms: list[float] = []
    answered_ms: list[float] = []
    try:
        for number in range(_WARM_UP + _ROUNDS):
            content, began = f"log_level = '{number}'\n", time.perf_counter()
            async with asyncio.timeout(_PATIENCE_S), asyncio.TaskGroup() as proposing:
                answer = proposing.create_task(_propose(host, content))
                for member in members:
                    await member.serves(content)
                committed_ms.append(1e3 * (time.perf_counter() - began))
                await answer
            answered_ms.append(1e3 * (time.perf_counter() - began))
        if asking.done():
            asking.result()  # the client has failed
    finally:
        await cancel_and_wait(asking)
    paused_ms = client.pauses_ms[_WARM_UP:] or [0.0]
    return {
        "committed_p50_ms": median(committed_ms[_WARM_UP:]),
        "committed_max_ms": max(committed_ms[_WARM_UP:]),
        "answered_p50_ms": median(answered_ms[_WARM_UP:]),
        "paused_p50_ms": median(paused_ms),
        "paused_max_ms": max(paused_ms),
    }


async def _roll_on(host: ServiceHost, members: Sequence[_DomainMember], number: int, name: str) -> None:
    for n in range(number):
        content = f"log_level = '{name}-{n}'\n"
        async with asyncio.timeout(_PATIENCE_S):
            await _propose(host, content)
            for member in members:
                await member.serves(content)


async def _many(host: ServiceHost, members: Sequence[_DomainMember]) -> dict[str, float]:
    """Return the rollouts of an hour, and what they add to this process, which has all nodes."""
    await _roll_on(host, members, _FILLING, "filling")
    held, files, began = resident(os.getpid())["rss_mib"], _open_files(), time.perf_counter()
    await _roll_on(host, members, _MANY, "many")
    return {
        "per_hour": 3600 * _MANY / (time.perf_counter() - began),
        "rss_mib": held,
        "added_mib": resident(os.getpid())["rss_mib"] - held,
        "files": float(files),
        "added_files": float(_open_files() - files),
    }


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _join_and_evict(ports: Infrastructure, members: Sequence[_DomainMember]) -> dict[str, float]:
    """Return the seconds that one more node needs to join, and those until it is evicted."""
    more, first = _DomainMember(len(members), ports), members[0]
    async with asyncio.timeout(_PATIENCE_S), AsyncExitStack() as stack:
        began = time.perf_counter()
        await more.start()
        joined_s = time.perf_counter() - began
        evicting = evict_absent_nodes(
            *(first.machine, first.agent.contact, ports.discovery, first.client.send, ports.clock.now)
        )
        stack.push_async_callback(cancel_and_wait, asyncio.create_task(evicting))
        for member in members:
            await ports.discovery.register(member.instance)
        began = time.perf_counter()
        await ports.discovery.deregister(more.instance.id)
        while any(name == more.name for name, _ in first.machine.processes):  # noqa: ASYNC110 (as above)
            await asyncio.sleep(_LOOK_S)
        evicted_s = time.perf_counter() - began
        await more.agent.stop()
    return {"joined_ms": 1e3 * joined_s, "evicted_s": evicted_s}


async def _appends(ports: Infrastructure) -> dict[str, float]:
    """Return what the log itself needs."""
    writer = await ports.log.writer("bench", "bench", 0)
    tail = await ports.log.tail("bench", 0, 0)
    taken_ms: list[float] = []
    for number in range(_APPENDS):
        began = time.perf_counter()
        reading = asyncio.create_task(tail.take(1))
        await writer.append([NewRecord("bench", b"%d" % number)])
        await reading
        taken_ms.append(1e3 * (time.perf_counter() - began))
    await tail.close()
    await writer.close()
    return {"p50_ms": median(taken_ms)}


async def measure_embedded(folder: Path, sizes: Sequence[int]) -> Figures:
    """Return the figures of domains of these sizes, and for the first one what many rollouts add."""
    figures: Figures = {}
    for size in sizes:
        async with open_infrastructure(folder / f"domain-{size}") as ports:
            async with _domain(ports, size) as (host, members):
                found = await _rollouts(host, members)
                if size == sizes[0]:
                    figures["embedded, many"] = await _many(host, members)
                figures[f"embedded, {size} nodes"] = found | await _join_and_evict(ports, members)
            figures[f"embedded, append, {size} nodes"] = await _appends(ports)
    return figures
