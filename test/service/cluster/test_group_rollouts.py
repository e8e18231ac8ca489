"""Rollouts of packages to two nodes in this process: both load, replace and unload a group, or neither."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.group_domain import ADMISSIONS, GroupDomain, put, revision
from support.group_node import LOAD_S, GroupNode
from support.packages import SERVICES, files, package, zipped
from support.shelf import Answered
from support.until import eventually

from bookshelf.cli.domain_node import AgentPorts
from bookshelf.cli.node_agent import start_group_agent
from bookshelf.cli.node_operations import DomainOperations
from bookshelf.cli.node_state import report_on_groups
from bookshelf.cluster.node_report import own_differences
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.http.message import request
from bookshelf.runtime.admin import AdminApi
from bookshelf.runtime.agent.signatures import public_text


@pytest.fixture
async def domain(tmp_path: Path) -> AsyncIterator[GroupDomain]:
    async with GroupDomain(tmp_path) as running:
        yield running


async def test_two_groups_are_loaded_and_unloaded_on_both_nodes(domain: GroupDomain) -> None:
    other = files()
    other["package.toml"] = other["package.toml"].replace(b'"counters"', b'"others"')
    services = SERVICES.replace('"counters"', '"others"').replace("/counters/", "/others/")
    other["counters/services.py"] = services.replace("%(answer)s", "other").replace("8140", "8141").encode()
    first, second = (domain.repository.add_package(one) for one in (package(), zipped(other)))
    answer = await domain.change(put(first.digest), put(second.digest, "others"))
    assert (answer.status, answer.json["state"]) == (200, "committed"), answer.json
    await domain.until_both_answer(200, b"one")
    for node in domain.nodes:
        assert await node.get("/others/greeting") == (200, b"other")
    same = await domain.change(put(first.digest))
    assert (same.status, same.json["state"]) == (200, "unchanged")
    answer = await domain.change({"kind": "package", "name": "counters", "action": "remove"})
    assert answer.json["state"] == "committed"
    await domain.until_both_answer(404, b"")
    assert await domain.nodes[1].get("/others/greeting") == (200, b"other")


async def test_a_node_reports_on_its_groups_and_on_what_differs(
    domain: GroupDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    added = domain.repository.add_package(package("1.2.3"))
    assert (await domain.change(put(added.digest))).json["state"] == "committed"
    groups = domain.nodes[0].groups

    async def has_settled() -> bool:
        report = report_on_groups("one", domain.agents[0], groups)
        return (report.revision, report.rollout) == (1, "")

    await eventually(has_settled, "the node has read the end of the rollout")
    report = report_on_groups("one", domain.agents[0], groups)
    [group], [service] = report.groups, report.services
    assert (group.name, group.version, group.digest) == ("counters", "1.2.3", added.digest)
    assert group.memory > 1 << 20
    assert (service.name, service.group, service.revision) == ("counters", "counters", 1)
    assert service.routes == ["GET /counters/greeting"]
    assert {vote.phase for vote in report.votes} == {"load", "pause", "deploy"}
    assert (report.domain, report.epoch > 0, report.fault) == ("blue", True, "")
    assert [member.node for member in report.members] == ["one", "two"]
    assert own_differences(report) == ()
    groups.remove(groups.active["counters"])
    assert [one.kind for one in own_differences(report_on_groups("one", domain.agents[0], groups))] == [
        "absent"
    ]


async def test_a_policy_of_a_service_of_a_group_is_checked_and_applied_on_both(domain: GroupDomain) -> None:
    added = domain.repository.add_package(package())
    assert (await domain.change(put(added.digest))).json["state"] == "committed"
    await domain.until_both_answer(200, b"one")
    assert [await revision(node) for node in domain.nodes] == ["1", "1"]
    wrong = {"kind": "policy", "name": "counters", "content": '[route."GET /counters/greetings"]\n'}
    answer = await domain.change(wrong)
    assert (answer.status, "did you mean GET /counters/greeting?" in answer.json["detail"]) == (409, True)
    closed = {"kind": "policy", "name": "counters", "content": 'state = "closed"\nmessage = "Later."\n'}
    answer = await domain.change(closed)
    assert answer.json["state"] == "committed", answer.json
    await domain.until_both_answer(503, b"")


async def test_a_package_that_one_node_refuses_is_loaded_on_none_and_all_is_as_before(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    async with GroupDomain(tmp_path, public_text(key)) as domain:
        added = domain.repository.add_package(package())
        domain.repository.sign(key)
        assert (await domain.change(put(added.digest))).json["state"] == "committed"
        await domain.until_both_answer(200, b"one")
        before = [node.state() for node in domain.nodes]
        unsigned = domain.repository.add_package(package("2.0.0", "two"))
        answer = await domain.change(put(unsigned.digest))
        assert (answer.status, answer.json["state"], answer.json["node"]) == (409, "aborted", "two")
        assert "is not signed" in answer.json["detail"]
        await domain.until_both_answer(200, b"one")
        assert [node.state() for node in domain.nodes] == before


async def test_a_deployment_that_fails_on_one_node_returns_to_the_former_processes_on_both(
    domain: GroupDomain,
) -> None:
    added = domain.repository.add_package(package())
    assert (await domain.change(put(added.digest))).json["state"] == "committed"
    before = [node.state() for node in domain.nodes]
    source = SERVICES + "\nimport bookshelf.runtime.service as s\n" + _FAILS_AT_START
    failing = domain.repository.add_package(package("2.0.0", "two", source))
    answer = await domain.change(put(failing.digest))
    assert (answer.status, answer.json["state"]) == (409, "rolled-back"), answer.json
    assert "broken at its start" in answer.json["detail"]
    await domain.until_both_answer(200, b"one")
    assert [node.state() for node in domain.nodes] == before


#: A service that can be loaded, and fails when it is to serve.
_FAILS_AT_START = """
async def broken(self):
    raise OSError("broken at its start")

s.ServiceHost.start = broken
"""


async def test_a_node_that_joins_loads_what_the_domain_has(domain: GroupDomain, tmp_path: Path) -> None:
    added = domain.repository.add_package(package())
    assert (await domain.change(put(added.digest))).json["state"] == "committed"
    stands_on = domain.shelf.infrastructure
    ports = AgentPorts.of(stands_on)
    late = GroupNode(tmp_path / "late", repository=tmp_path / "repository", discovery=stands_on.discovery)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(late.close)
        settings = ClusterSettings(cluster_domain="blue")
        await start_group_agent("late", settings, late.kind, ports, ADMISSIONS, stack)
        assert await late.get() == (200, b"one")


async def test_the_admin_api_of_a_node_passes_requests_for_the_domain_on(domain: GroupDomain) -> None:
    stands_on = domain.shelf.infrastructure
    operations = DomainOperations(stands_on.discovery, stands_on.transport, stands_on.callers)
    admin = AdminApi("token", operations)
    added = domain.repository.add_package(package())

    async def send(method: str, target: str, body: bytes = b"", token: str = "token") -> Answered:  # noqa: S107 (no secret)
        headers = {"Content_Type": "application/json"} if body else {}
        made = request(method, target, body, Authorization=f"Bearer {token}", **headers)
        async with asyncio.timeout(2 * LOAD_S):
            return Answered(await admin.handle(made))

    content = msgspec.json.encode({"changes": [put(added.digest)], "commit": True, "wait": 60})
    assert (await send("POST", "/bookshelf/cluster/rollouts", content, "other")).status == 403
    answer = await send("POST", "/bookshelf/cluster/rollouts", content)
    assert (answer.status, answer.json["state"]) == (200, "committed")
    await domain.until_both_answer(200, b"one")
    assert (await send("GET", "/bookshelf/cluster/status")).status == 200
    assert (await send("GET", "/bookshelf/books")).status == 404
