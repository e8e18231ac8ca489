"""Discovery by a real agent, as tests open it, follow it, and get in its way."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from support.consul import HOST, ROOT, Agent

from bookshelf.discovery.consul.discovery import ConsulDiscovery
from bookshelf.discovery.consul.settings import ConsulSettings, Pace
from bookshelf.discovery.port import Discovery, Instance, Snapshot

#: Seconds within which what must happen by itself has happened.
SOON_S = 30.0
#: As usual, but soon tired of an agent that does not answer.
BRISK = Pace(answer_s=0.5, wait_s=1.0)


def settings(agent: Agent, token: str = "") -> ConsulSettings:
    """Return how to reach an agent."""
    return ConsulSettings(agent=f"{HOST}:{agent.ports.http}", token=token, pace=BRISK)


@asynccontextmanager
async def opened(given: ConsulSettings) -> AsyncIterator[ConsulDiscovery]:
    """Open discovery, and close it at the end."""
    discovery = await ConsulDiscovery.open(given)
    try:
        yield discovery
    finally:
        await discovery.close()


class Seen:
    """All snapshots that a watch has shown, in order."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._more = asyncio.Event()
        self.all: list[Snapshot] = []

    async def follow(self) -> None:
        """Watch until cancelled."""
        async for snapshot in self._discovery.watch():
            self.all.append(snapshot)
            self._more.set()

    async def until(self, true: Callable[[Snapshot], object], within_s: float = SOON_S) -> Snapshot:
        """Return the newest snapshot as soon as this is true of it. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not self.all or not true(self.all[-1]):
                self._more.clear()
                await self._more.wait()
        return self.all[-1]


@asynccontextmanager
async def followed(discovery: Discovery) -> AsyncIterator[Seen]:
    """Follow discovery meanwhile."""
    seen = Seen(discovery)
    following = asyncio.create_task(seen.follow())
    try:
        yield seen
    finally:
        following.cancel()
        await asyncio.wait([following])


def ids(snapshot: Snapshot) -> set[str]:
    """Return the ids of a snapshot."""
    return {instance.id for instance in snapshot.instances}


def well(*names: str) -> Callable[[Snapshot], bool]:
    """Ask whether exactly these are ready, and the registry answers."""
    return lambda snapshot: ids(snapshot) == set(names) and not snapshot.stale


def instance(name: str, port: int = 8081) -> Instance:
    """Return an instance of the service that its name begins with."""
    service = name.partition("-")[0]
    return Instance(id=name, service=service, tags=("books", service), address=HOST, port=port)


Registered = Callable[[Agent, str], "subprocess.Popen[str]"]


@contextmanager
def registered(agent: Agent, name: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that registers an instance and keeps it registered; it is killed at the end."""
    command = [sys.executable, "-m", "support.consul_discovery", str(agent.ports.http), name]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT.parent}"}
    with subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as one:
        try:
            assert one.stdout is not None
            assert one.stdout.readline() == "registered\n"
            yield one
        finally:
            one.kill()


async def main(port: int, name: str) -> None:
    """Register and wait until killed: `python -m support.consul_discovery PORT NAME`."""
    discovery = await ConsulDiscovery.open(ConsulSettings(agent=f"{HOST}:{port}"))
    await discovery.register(instance(name))
    print("registered", flush=True)  # noqa: T201 (the test that has started this process reads it)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
