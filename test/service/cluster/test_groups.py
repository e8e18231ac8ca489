"""Service groups in processes of their own: loaded, replaced, taken back, refused, and ended by a crash."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.group_node import GroupNode
from support.packages import SERVICES, files, package, zipped
from support.until import eventually

from bookshelf.cqrs.item import ItemChange, digest_of
from bookshelf.http.message import request
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.item import ItemRefused
from bookshelf.runtime.agent.signatures import public_text


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[GroupNode]:
    made = GroupNode(tmp_path)
    yield made
    await made.close()


async def test_a_loaded_group_serves_from_its_deployment_until_it_is_unloaded(
    node: GroupNode,
) -> None:
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
    answer = await node.groups.handle(request("GET", "/counters/greeting"))
    assert {"Date", "Server"}.isdisjoint(answer.headers)  # the node's own port adds them
    unloaded = await node.run(None)
    assert (await node.get())[0] == 404
    await eventually(lambda: node.has_registered([]), "it is deregistered")
    await unloaded.settle()


async def test_undo_of_a_replacement_returns_to_the_process_that_still_runs(node: GroupNode) -> None:
    await node.run(package())
    before = node.state()
    loaded = await node.load(package("2.0.0", "two"))
    await loaded.deploy()
    assert await node.get() == (200, b"two")
    await loaded.undo()
    assert node.state() == before
    assert await node.get() == (200, b"one")
    await eventually(lambda: node.has_registered([("counters", 8140)]), "it is registered again")


async def test_undo_without_deployment_leaves_what_runs_alone(node: GroupNode) -> None:
    await node.run(package())
    before = node.state()
    loaded = await node.load(package("2.0.0", "two"))
    await loaded.undo()
    unloading = await node.load(None)
    await unloading.undo()
    assert node.state() == before
    assert await node.get() == (200, b"one")


async def test_undo_of_unloading_brings_the_group_back_and_what_is_the_same_is_not_loaded_again(
    node: GroupNode,
) -> None:
    await node.run(package())
    before = node.state()
    unloading = await node.load(None)
    await unloading.deploy()
    assert (await node.get())[0] == 503
    await unloading.undo()
    assert await node.get() == (200, b"one")
    await node.run(package())
    await (await node.load(None, "others")).deploy()
    assert node.state() == before


async def test_a_process_that_crashes_is_deregistered_and_started_again(node: GroupNode) -> None:
    await node.run(package())
    await eventually(lambda: node.has_registered([("counters", 8140)]), "it is registered")
    (_, pid) = node.state()["counters"]
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: node.has_registered([]), "it is deregistered")
    await eventually(lambda: node.has_another_process(pid), "another process serves", 60.0)
    assert await node.get() == (200, b"one")


async def test_a_policy_applies_to_the_services_of_a_group(node: GroupNode) -> None:
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
    node: GroupNode, source: str, reason: str
) -> None:
    with pytest.raises(ItemRefused, match=reason):
        await node.load(package(services=source))
    assert node.state() == {}
    assert await node.registered() == []


async def test_a_package_that_is_too_slow_is_refused_and_its_process_ends(tmp_path: Path) -> None:
    node = GroupNode(tmp_path, load_s=1.0)
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


async def test_two_groups_cannot_have_the_same_route_or_service(node: GroupNode) -> None:
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
    node = GroupNode(tmp_path, keys=public_text(key))
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
async def test_names_and_digests_that_are_none_are_refused(node: GroupNode, change: ItemChange) -> None:
    assert node.kind.check(change)
    with pytest.raises(ItemRefused):
        await node.kind.load(change)
