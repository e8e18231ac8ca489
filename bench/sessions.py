"""Measures sessions on several nodes in this process, over one log: changes, conflicts, delay, memory."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import msgspec

from bench.in_process import open_infrastructure
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bookshelf.cli.command import collect_rarely
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.cluster.session_events import TOPIC, ClientSessionChanged, ClientSessionOpened
from bookshelf.cluster.session_parts import PARTS
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.session_route import OpeningSession
from bookshelf.cqrs.session_state import Differences
from bookshelf.log.port import Log, NewRecord, partition_of
from bookshelf.runtime.agent.copied_states import sqlite_copies
from bookshelf.runtime.agent.sessions import ReplicatedSessions
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.api.forwarding import OwnerForwarder
from bookshelf.runtime.api.remote_aggregate import CallPorts, RemoteAggregate
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.service import ServiceHost

_NODES, _CLIENTS, _SESSIONS, _VALUE = 3, 100, 100_000, "x" * 1000
#: Sessions that are written at once.
_AT_ONCE = 500
_KEY = "service/bench/n"
FACTS = {
    "changes": f"{_CLIENTS} clients, each with a session of its own, asked from 3 nodes; durable",
    "counter": f"{_CLIENTS} clients add 5 each to one counter of one session on 3 nodes; the sum is exact",
    "delay": "from the answer on node 1 until the copy of node 2 has it; all in one process: no network",
    "copies": f"{_SESSIONS} sessions of 1 KB are read by a joining node; processor time for each, RSS added",
}


def _node(infrastructure: Infrastructure, folder: Path, stack: AsyncExitStack) -> ReplicatedSessions:
    log, clock, ids = infrastructure.log, infrastructure.clock, infrastructure.ids
    calls = CallPorts(log, clock, ids, infrastructure.callers)
    owners = {
        part.name: RemoteAggregate(
            part, OwnerForwarder(part.name, infrastructure.discovery, infrastructure.transport), calls
        )
        for part in (PARTS.session, PARTS.shared)
    }
    return ReplicatedSessions(
        PARTS,
        owners,
        domain="bench",
        idle_s=1800.0,
        ports=OwnerDependencies(log, ids, clock, Meters().owner("session-copies")),
        copies=sqlite_copies(folder, log.partitions(TOPIC), 20_000, stack),
    )


@asynccontextmanager
async def _nodes(infrastructure: Infrastructure, folder: Path) -> AsyncIterator[list[ReplicatedSessions]]:
    """Run the service of sessions, and the nodes."""
    [service] = (service for service in CLUSTER_SERVICES if service.name == "sessions")
    async with AsyncExitStack() as stack:
        host = ServiceHost(service, infrastructure, "127.0.0.1", 0)
        stack.push_async_callback(host.stop)
        await host.start()
        nodes = [_node(infrastructure, folder / str(number), stack) for number in range(_NODES)]
        for node in nodes:
            stack.push_async_callback(node.stop)
            await node.start()
            await node.complete()
        yield nodes


def _values(text: str, version: int | None = None) -> Differences:
    return Differences({_KEY: text}, (), {} if version is None else {_KEY: version}, {})


async def _open(node: ReplicatedSessions, key: str) -> None:
    opening = OpeningSession(domain="bench", service="bench", owner="", idle_s=1800.0, at=_now())
    command = PARTS.open(opening, _values("0"))
    await node.ask(PARTS.session, key, command, actor="reader", command_id=f"open-{key}")


async def _set(node: ReplicatedSessions, key: str, n: int) -> Any:  # noqa: ANN401 (a result)
    command = PARTS.change(_values(str(n)), _now())
    return await node.ask(PARTS.session, key, command, actor="reader", command_id=f"{key}-{n}")


def _now() -> datetime:
    return datetime.now(UTC)


async def _changes(nodes: list[ReplicatedSessions], seconds: float) -> float:
    """Return the changes per second."""
    done = 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal done
        node, key, n = nodes[number % _NODES], f"own-{number}", 0
        await _open(node, key)
        while time.perf_counter() < end:
            n += 1
            await _set(node, key, n)
            done += 1

    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
    return done / seconds


async def _counter(nodes: list[ReplicatedSessions]) -> tuple[float, int]:
    """Return the additions per second, and the conflicts. Raises `BenchFault` if one was lost."""
    each, conflicts = 5, 0
    await _open(nodes[0], "counter")
    began = time.perf_counter()

    async def client(number: int) -> None:
        nonlocal conflicts
        node, done = nodes[number % _NODES], 0
        while done < each:
            value = (await node.read(PARTS.session, "counter", to_end=True)).content.values[_KEY]
            command = PARTS.change(_values(str(int(value.json) + 1), value.version), _now())
            made = f"{number}-{done}"
            try:
                await node.ask(PARTS.session, "counter", command, actor="reader", command_id=made)
                done += 1
            except Conflict:
                conflicts += 1

    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
    took_s = time.perf_counter() - began
    value = (await nodes[1].read(PARTS.session, "counter", to_end=True)).content.values[_KEY]
    if int(value.json) != each * _CLIENTS:
        msg = f"{each * _CLIENTS} additions were acknowledged, and the counter is {value.json}"
        raise BenchFault(msg)
    return each * _CLIENTS / took_s, conflicts


async def _delays(nodes: list[ReplicatedSessions]) -> list[float]:
    """Return the delays in milliseconds."""
    await _open(nodes[0], "delay")
    delays: list[float] = []
    for n in range(1, 301):
        await _set(nodes[0], "delay", n)
        began = time.perf_counter()
        # the copy is what is measured, so it is looked at as often as the loop allows
        while (await nodes[1].read(PARTS.session, "delay")).content.values[_KEY].json != str(n):  # noqa: ASYNC110
            await asyncio.sleep(0)
        delays.append(1e3 * (time.perf_counter() - began))
    return delays


def _records(number: int) -> list[NewRecord]:
    at, key = _now(), f"kept-{number}"
    opened = ClientSessionOpened(domain="bench", service="bench", owner="", idle_s=1800.0, at=at)
    value = {_KEY: msgspec.Raw(msgspec.json.encode(_VALUE))}
    changed = ClientSessionChanged(set=value, drop=(), versions={}, at=at, keys=1, bytes=1017)
    return [
        NewRecord(
            key,
            encode_envelope(
                Envelope(
                    specversion="1.0",
                    id=f"{key}-{event.TYPE}",
                    source="client-session",
                    type=event.TYPE,
                    subject=key,
                    time=at,
                    datacontenttype="application/json",
                    data=msgspec.Raw(msgspec.json.encode(event)),
                    actor="reader",
                    commandid=f"open-{key}",
                )
            ),
        )
        for event in (opened, changed)
    ]


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / (1 << 20)


async def _fill(log: Log, sessions: int) -> None:
    count = log.partitions(TOPIC)
    writers = [await log.writer(f"bench-{partition}", TOPIC, partition) for partition in range(count)]
    for start in range(0, sessions, _AT_ONCE):
        parts: list[list[NewRecord]] = [[] for _ in writers]
        for number in range(start, min(start + _AT_ONCE, sessions)):
            records = _records(number)
            parts[partition_of(records[0].key, count)] += records
        both = zip(writers, parts, strict=True)
        await asyncio.gather(*(writer.append(part) for writer, part in both if part))
    await asyncio.gather(*(writer.close() for writer in writers))


async def joined(infrastructure: Infrastructure, folder: Path, sessions: int = _SESSIONS) -> dict[str, float]:
    """Return what a node needs to join a domain with so many sessions, which the empty log gets first.

    Seconds, microseconds of processor time for each session, and the MiB that the node adds.
    """
    await _fill(infrastructure.log, sessions)
    before = _rss_mib()
    async with AsyncExitStack() as stack:
        node = _node(infrastructure, folder, stack)
        stack.push_async_callback(node.stop)
        began, worked = time.perf_counter(), time.process_time()
        await node.start()
        await node.complete()
        return {
            "joined_s": time.perf_counter() - began,
            "cpu_us": 1e6 * (time.process_time() - worked) / sessions,
            "added_mib": _rss_mib() - before,
        }


async def used(infrastructure: Infrastructure, folder: Path, seconds: float) -> Figures:
    """Return the figures of three nodes whose clients change sessions, on an empty log."""
    async with _nodes(infrastructure, folder) as nodes:
        rate = await _changes(nodes, seconds)
        added, conflicts = await _counter(nodes)
        delays = quantiles(await _delays(nodes), n=100)
    return {
        "changes": {"rate_per_s": rate},
        "counter": {"rate_per_s": added, "conflicts": float(conflicts)},
        "delay": {"p50_ms": delays[49], "p99_ms": delays[98]},
    }


async def _run(plan: Plan, folder: Path) -> Sample:
    collect_rarely()  # as every process of the program does
    async with open_infrastructure(folder / "filled") as infrastructure:
        copies = await joined(infrastructure, folder / "joiner")
    async with open_infrastructure(folder / "shelf") as infrastructure:
        figures = await used(infrastructure, folder / "nodes", plan.seconds)
    return Sample({**figures, "copies": copies}, FACTS)


SESSIONS = Measurement(
    "sessions", "sessions on three nodes: changes, conflicts, delay, memory", _run, large=True
)
