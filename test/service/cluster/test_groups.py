"""Service groups in processes of their own: loaded, replaced, taken back, refused, and ended by a crash."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.packages import SERVICES, files, package, zipped
from support.process import environment
from support.until import eventually

from bookshelf.cli.node_packages import PackageFetcher
from bookshelf.cli.repository_folder import RepositoryFolder
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.cqrs.item import ItemChange, digest_of
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import HttpTransport
from bookshelf.http.message import read_response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.child import ChildReport
from bookshelf.runtime.agent.children import ServiceChild
from bookshelf.runtime.agent.groups import ServiceGroups
from bookshelf.runtime.agent.item import ItemRefused, LoadedItem
from bookshelf.runtime.agent.package_kind import PackageKind
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.agent.signatures import public_text
from bookshelf.runtime.api.identity import LocalReader

PROGRAM = Path(__file__).parents[2] / "support" / "child_program.py"
TEST = PROGRAM.parents[1]
#: Seconds for a process to load, on a machine that does much else.
LOAD_S = 60.0


class Node:
    """A node without a port, whose processes have a log in memory, and its repository."""

    def __init__(self, folder: Path, keys: str = "", load_s: float = LOAD_S) -> None:
        self.folder = folder
        self.repository = RepositoryFolder(folder / "repository")
        if not (folder / "repository").exists():
            self.repository.create()
        self.discovery = LocalDiscovery()
        self._transport = HttpTransport()
        self.gate = PolicyGate(LocalReader())
        self.groups = ServiceGroups(self.discovery, self._transport, lambda _service: self.gate.around)
        self.groups.address, self.groups.port = "127.0.0.1", 8140
        settings = ClusterSettings(cluster_repository=str(folder / "repository"), cluster_keys=keys)
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


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path)
    yield made
    await made.close()


async def test_a_loaded_group_serves_once_it_is_deployed_and_no_more_once_it_is_unloaded(node: Node) -> None:
    loaded = await node.load(package())
    assert (await node.get())[0] == 404
    assert await node.registered() == []
    await loaded.deploy()
    assert await node.get() == (200, b"one")
    await eventually(lambda: node.has_registered([("counters", 8140)]), "it is registered at the node's port")
    [instance] = node.discovery.snapshot().instances
    status, document = await node.get(instance.meta["openapi"])
    assert (status, b"/counters/greeting" in document) == (200, True)
    assert (await node.get("/metrics/counters"))[0] == 200
    unloaded = await node.run(None)
    assert (await node.get())[0] == 404
    await eventually(lambda: node.has_registered([]), "it is deregistered")
    await unloaded.settle()


async def test_undo_of_a_replacement_returns_to_the_process_that_still_runs(node: Node) -> None:
    await node.run(package())
    before = node.state()
    loaded = await node.load(package("2.0.0", "two"))
    await loaded.deploy()
    assert await node.get() == (200, b"two")
    await loaded.undo()
    assert node.state() == before
    assert await node.get() == (200, b"one")
    await eventually(lambda: node.has_registered([("counters", 8140)]), "it is registered again")


async def test_undo_without_deployment_leaves_what_runs_alone(node: Node) -> None:
    await node.run(package())
    before = node.state()
    loaded = await node.load(package("2.0.0", "two"))
    await loaded.undo()
    unloading = await node.load(None)
    await unloading.undo()
    assert node.state() == before
    assert await node.get() == (200, b"one")


async def test_undo_of_unloading_brings_the_group_back_and_what_is_the_same_is_not_loaded_again(
    node: Node,
) -> None:
    await node.run(package())
    before = node.state()
    unloading = await node.load(None)
    await unloading.deploy()
    assert (await node.get())[0] == 404
    await unloading.undo()
    assert await node.get() == (200, b"one")
    await node.run(package())
    await (await node.load(None, "others")).deploy()
    assert node.state() == before


async def test_a_process_that_crashes_is_deregistered_and_started_again(node: Node) -> None:
    await node.run(package())
    await eventually(lambda: node.has_registered([("counters", 8140)]), "it is registered")
    (_, pid) = node.state()["counters"]
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: node.has_registered([]), "it is deregistered")
    await eventually(lambda: node.has_another_process(pid), "another process serves", 60.0)
    assert await node.get() == (200, b"one")


async def test_a_policy_applies_to_the_services_of_a_group(node: Node) -> None:
    await node.run(package())

    class Closed:
        log_level = None

        def of(self, _route: str) -> "Closed":
            raise Problem("unavailable", "closed")

    undo = node.gate.put(Closed())  # type: ignore[arg-type]
    assert (await node.get())[0] == 503
    assert (await node.get("/health/ready"))[0] == 200
    undo()
    assert (await node.get())[0] == 200


_OF_ANOTHER = SERVICES.replace('path="/counters/greeting"', 'method="POST", path="/books"')
_MARK = "import pathlib; pathlib.Path({path!r}).touch()\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise TypeError('broken at import')", "TypeError: broken at import"),
        ("SERVICES = 5", "is no tuple of services"),
        ("import os; os._exit(7)", "has ended with 7"),
        (
            SERVICES.replace("/counters/greeting", "/books").replace(
                'path="/books"', 'method="POST", path="/books"'
            ),
            "newbook and counters both claim",
        ),
    ],
)
async def test_a_package_that_cannot_run_is_refused_with_the_reason(
    node: Node, source: str, reason: str
) -> None:
    with pytest.raises(ItemRefused, match=reason):
        await node.load(package(services=source))
    assert node.state() == {}
    assert await node.registered() == []


async def test_a_package_that_is_too_slow_is_refused_and_its_process_ends(tmp_path: Path) -> None:
    node = Node(tmp_path, load_s=1.0)
    source = "import os, time\nopen(os.environ['MARK'], 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    os.environ["MARK"] = str(tmp_path / "pid")
    try:
        with pytest.raises(ItemRefused, match="was not loaded in 1 s"):
            await node.load(package(services=source))
        if (tmp_path / "pid").exists():  # on a slow machine it did not come so far
            with pytest.raises(ProcessLookupError):
                os.kill(int((tmp_path / "pid").read_text()), 0)
    finally:
        del os.environ["MARK"]
        await node.close()


async def test_two_groups_cannot_have_the_same_route_or_service(node: Node) -> None:
    await node.run(package())
    other = files()
    other["package.toml"] = other["package.toml"].replace(b'"counters"', b'"others"')
    with pytest.raises(ItemRefused, match="a service counters is loaded already"):
        await node.load(zipped(other), "others")
    other["counters/services.py"] = other["counters/services.py"].replace(b'name="counters"', b'name="other"')
    other["package.toml"] = other["package.toml"].replace(b"1.0.0", b"2.0.0")
    with pytest.raises(ItemRefused, match="counters has the route GET /counters/greeting already"):
        await node.load(zipped(other), "others")
    assert await node.get() == (200, b"one")


async def test_nothing_of_a_package_runs_whose_digest_or_signature_fails(tmp_path: Path) -> None:
    mark = tmp_path / "imported"
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    node = Node(tmp_path, keys=public_text(key))
    content = package(services=_MARK.format(path=str(mark)) + SERVICES)
    with pytest.raises(ItemRefused, match="is not signed"):
        await node.load(content)
    node.repository.sign(other)
    with pytest.raises(ItemRefused, match="is signed by no key"):
        await node.load(content)
    node.repository.sign(key)
    archive = tmp_path / "repository" / "packages" / "counters-1.0.0.pack"
    cached = tmp_path / "packages" / f"{digest_of(content)}.pack"
    for file in (archive, cached):
        file.write_bytes(content[:-1] + b"x")
    change = ItemChange("package", "counters", "put", digest_of(content))
    with pytest.raises(ItemRefused, match="has another digest"):
        await node.kind.load(change)
    archive.unlink()
    with pytest.raises(ItemRefused, match="has no packages/counters"):
        await node.kind.load(change)
    with pytest.raises(ItemRefused, match="no package with the digest"):
        await node.kind.load(ItemChange("package", "counters", "put", "0" * 64))
    assert not mark.exists()
    archive.write_bytes(content)
    with pytest.raises(ItemRefused, match="of the group counters"):
        await node.kind.load(ItemChange("package", "others", "put", digest_of(content)))
    assert not mark.exists()
    await (await node.kind.load(change)).undo()
    assert mark.exists()
    await node.close()


@pytest.mark.parametrize(
    "change",
    [
        ItemChange("package", "../x", "put", "0" * 64),
        ItemChange("package", "x\n", "remove"),
        ItemChange("package", "counters", "put", "../x"),
    ],
)
async def test_names_and_digests_that_are_none_are_refused(node: Node, change: ItemChange) -> None:
    assert node.kind.check(change)
    with pytest.raises(ItemRefused):
        await node.kind.load(change)
