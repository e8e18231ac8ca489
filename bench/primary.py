"""Measures how long a group has no primary: after a stop, and after a kill; beside `consul lock`.

The service `locks` is on the embedded log, with two instances of a group and a gateway in this process. A
kill is an end without the release of the lease, at a moment between two renewals.
"""

import asyncio
import os
import random
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import programs
from bench.measurement import Figures, Measurement, Plan, Sample
from bookshelf.cli.embedded import make_infrastructure
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import Settings
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.service import Service
from bookshelf.http.message import Request, Response, request
from bookshelf.http.server import free_port
from bookshelf.runtime.election.leases import Locks
from bookshelf.runtime.election.lock_service import LockService
from bookshelf.runtime.election.log import LogElection
from bookshelf.runtime.election.port import ElectionFault, Lease
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES
from gateway.app import Gateway

#: Seconds of the lease of a primary.
_TTL_S = 3.0
#: Rounds of one run, seconds that one may take and between two looks, and the status of an answer.
_ROUNDS, _PATIENCE_S, _LOOK_S, _OK = 5, 60.0, 0.001, 200
_FACTS: dict[str, Any] = {
    "ttl_s": _TTL_S,
    "killed_s": "from an end without release until the gateway has an answer of the backup",
    "released_s": "from the request to stop until the gateway has an answer of the backup",
}


class _KilledElection(LogElection):
    """An election that renews and releases nothing once its process counts as killed."""

    is_killed = False

    async def renew(self, lease: Lease) -> Lease:
        if self.is_killed:
            raise ElectionFault("the process was killed")
        return await super().renew(lease)

    async def release(self, lease: Lease) -> None:
        if not self.is_killed:
            await super().release(lease)


def _counters(name: str) -> Service:
    """Return the service of the group, which answers with the name of its instance."""

    async def answer(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        return Response(200, {}, name.encode())

    return Service(
        name="counters",
        summary="Answers",
        tags=("counters",),
        port=0,
        runs=(),
        serves=(HandlerRoute(path="/counters", summary="An answer", handler=answer, requires=None),),
        primary_of="counters",
    )


class _Node:
    """An instance of the group, with its own way to the locks."""

    def __init__(self, name: str, infrastructure: Infrastructure) -> None:
        ports = infrastructure
        service = LockService(ports.discovery, ports.transport, ports.callers)
        self.election = _KilledElection(service, ports.ids.new)
        locks = Locks(self.election, name, "bench", _TTL_S)
        self.host = ServiceHost(_counters(name), replace(infrastructure, locks=locks), "127.0.0.1", 0)
        self._following = asyncio.create_task(self.election.run())

    async def start(self) -> "_Node":
        await self.host.start()
        return self

    async def stop(self, *, kill: bool) -> None:
        self.election.is_killed = kill
        await self.host.stop()
        await cancel_and_wait(self._following)


async def _run(_plan: Plan, folder: Path) -> Sample:
    figures: Figures = {}
    async with AsyncExitStack() as stack:
        infrastructure = await make_infrastructure(Settings(data=str(folder)), folder, stack)
        [service] = [one for one in SERVICES if one.name == "locks"]
        locks = ServiceHost(service, infrastructure, "127.0.0.1", 0)
        stack.push_async_callback(locks.stop)
        await locks.start()
        gateway = Gateway(infrastructure.discovery, infrastructure.transport)
        gateway.rules.set_own(gateway.rules.take({"primary": [{"group": "counters", "wait_s": _PATIENCE_S}]}))
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        for name, kill in (("killed", True), ("released", False)):
            taken_s = [await _round(infrastructure, gateway, kill=kill) for _ in range(_ROUNDS)]
            figures[name] = {f"{name}_s": max(taken_s)}
    facts = {**_FACTS, "rounds": _ROUNDS}
    if consul := programs.found("consul"):
        figures["consul lock"] = await _consul(consul)
    else:
        facts["missing"] = ["consul"]
    return Sample(figures, facts)


async def _round(infrastructure: Infrastructure, gateway: Gateway, *, kill: bool) -> float:
    first = await _Node("node1", infrastructure).start()
    await _answered(gateway, b"node1")
    second = await _Node("node2", infrastructure).start()
    await asyncio.sleep(random.random() * _TTL_S / 3)  # noqa: S311 (a moment between two renewals)
    began = time.perf_counter()
    ending = asyncio.create_task(first.stop(kill=kill))
    await _answered(gateway, b"node2")
    taken_s = time.perf_counter() - began
    await ending
    await second.stop(kill=False)
    return taken_s


async def _answered(gateway: Gateway, name: bytes) -> None:
    """Return once the gateway has an answer of the instance of this name."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            answer = await gateway.handle(request("GET", "/bookshelf/counters"))
            if answer.status == _OK and answer.body == name:
                return
            await asyncio.sleep(_LOOK_S)


async def _consul(program: str) -> dict[str, float]:
    """Return the seconds from the kill of one `consul lock` until another one has the lock."""
    async with AsyncExitStack() as stack:
        http = free_port()
        await stack.enter_async_context(_program(*programs.consul(program, http)))
        locked = (program, "lock", f"-http-addr=127.0.0.1:{http}", "bench", "echo held; exec sleep 600")
        first = await _holder(stack, locked)
        second = await stack.enter_async_context(_program(*locked))
        began = time.perf_counter()
        os.killpg(first.pid, signal.SIGKILL)
        await _held(second)
        return {"killed_s": time.perf_counter() - began}


async def _holder(stack: AsyncExitStack, command: tuple[str, ...]) -> Process:
    """Run `consul lock` until it has the lock: the agent may still be starting."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            process = await stack.enter_async_context(_program(*command))
            if await _held(process):
                return process


async def _held(process: Process) -> bool:
    """Return True once a process has printed that it has the lock; False if it ends without it."""
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    async with asyncio.timeout(2 * _PATIENCE_S):
        return await process.stdout.readline() == b"held\n"


@asynccontextmanager
async def _program(*command: str) -> AsyncIterator[Process]:
    """Run a program, with all that it starts, until the block ends."""
    process = await create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


PRIMARY = Measurement("primary", "a backup takes over from a primary", _run, large=True)
