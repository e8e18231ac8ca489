"""A node of service groups in this process; its processes have a log in memory."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from support.process import environment

from bookshelf.cli.node_packages import PackageFetcher
from bookshelf.cli.repository_folder import RepositoryFolder
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.cqrs.item import ItemChange
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import HttpTransport
from bookshelf.http.message import read_response, request
from bookshelf.runtime.agent.child import ChildReport
from bookshelf.runtime.agent.children import ServiceChild
from bookshelf.runtime.agent.groups import ServiceGroups
from bookshelf.runtime.agent.item import LoadedItem
from bookshelf.runtime.agent.package_kind import PackageKind
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.identity import LocalReader

PROGRAM = Path(__file__).with_name("child_program.py")
TEST = PROGRAM.parents[1]
#: Seconds for a process to load, on a machine that does much else.
LOAD_S = 120.0


class GroupNode:
    """A node without a port, whose processes have a log in memory, and its repository."""

    def __init__(
        self,
        folder: Path,
        keys: str = "",
        load_s: float = LOAD_S,
        repository: Path | None = None,
        discovery: Discovery | None = None,
    ) -> None:
        self.folder = folder
        where = repository or folder / "repository"
        self.repository = RepositoryFolder(where)
        if not where.exists():
            self.repository.create()
        self.discovery = discovery or LocalDiscovery()
        self._transport = HttpTransport()
        self.gate = PolicyGate(LocalReader())
        self.groups = ServiceGroups(self.discovery, self._transport, lambda _service: self.gate.around)
        self.groups.address, self.groups.port = "127.0.0.1", 8140
        settings = ClusterSettings(cluster_repository=str(where), cluster_keys=keys)
        self.fetcher = PackageFetcher.of(settings, folder / "packages")
        self.kind = PackageKind(
            self.groups, folder / "unpacked", self.fetcher.fetch, self._start, load_s, standby_s=0.0
        )
        self._load_s = load_s
        self._running = asyncio.create_task(self.groups.run())

    async def _start(
        self, folder: Path, entry: str, relay: Callable[[ChildReport], None], ended: Callable[[], None]
    ) -> ServiceChild:
        command = [sys.executable, str(PROGRAM), str(folder), entry, str(self.folder / "data")]
        paths = os.pathsep.join([str(TEST), str(TEST.parent)])
        return await ServiceChild.start(
            command, {**environment(), "PYTHONPATH": paths}, relay, ended, self._load_s
        )

    async def close(self) -> None:
        await self.kind.close()
        self._running.cancel()
        await self.fetcher.close()
        await self._transport.close()

    async def load(self, content: bytes | None, group: str = "counters") -> LoadedItem:
        """Add a package to the repository and load it; None: unload the group."""
        if content is None:
            return await self.kind.load(ItemChange("package", group, "remove"))
        added = self.repository.add_package(content)
        return await self.kind.load(ItemChange("package", group, "put", added.digest))

    async def run(self, content: bytes | None) -> LoadedItem:
        """Load, deploy and keep."""
        loaded = await self.load(content)
        await loaded.deploy()
        await loaded.settle()
        return loaded

    async def get(self, target: str = "/counters/greeting") -> tuple[int, bytes]:
        async with asyncio.timeout(LOAD_S):
            answer = await self.groups.handle(request("GET", target))
            return answer.status, await read_response(answer, 1 << 20)

    async def registered(self) -> list[tuple[str, int]]:
        return [(one.service, one.port) for one in self.discovery.snapshot().instances]

    async def has_registered(self, instances: list[tuple[str, int]]) -> bool:
        return await self.registered() == instances

    async def has_another_process(self, pid: int) -> bool:
        return self.state()["counters"][1] != pid

    def state(self) -> dict[str, tuple[str, int]]:
        """Return the digest and the process of each group that serves."""
        return {name: (group.digest, group.child.pid) for name, group in self.groups.active.items()}
