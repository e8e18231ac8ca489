"""The service rollouts and two nodes of service groups in this process, which share a repository."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec
from support.domain_nodes import ROLLOUTS
from support.group_node import LOAD_S, GroupNode
from support.shelf import Answered, Shelf
from support.until import eventually

from bookshelf.cli.domain_node import AgentPorts
from bookshelf.cli.node_agent import start_group_agent
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.http.message import request
from bookshelf.runtime.agent.gate import Admissions

if TYPE_CHECKING:
    from bookshelf.runtime.agent.agent import NodeAgent

ADMISSIONS = Admissions(b"key")


class GroupDomain:
    """The service rollouts, and two nodes that share a repository."""

    def __init__(self, folder: Path, keys: str = "") -> None:
        self.shelf = Shelf(services=(ROLLOUTS,))
        discovery = self.shelf.infrastructure.discovery
        self.nodes = [
            GroupNode(folder / name, keys if name == "two" else "", LOAD_S, folder / "repository", discovery)
            for name in ("one", "two")
        ]
        for number, node in enumerate(self.nodes):
            node.groups.port += 100 * number
        self.repository = self.nodes[0].repository
        self.agents: list[NodeAgent] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.shelf)
        stands_on = self.shelf.infrastructure
        ports = AgentPorts.of(stands_on)
        settings = ClusterSettings(cluster_domain="blue", cluster_load_s=LOAD_S)
        for node in self.nodes:
            self._stack.push_async_callback(node.close)
            agent = await start_group_agent(
                node.folder.name, settings, node.kind, ports, ADMISSIONS, self._stack
            )
            self.agents.append(agent)
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self._stack.aclose()

    async def send(self, target: str, **body: object) -> Answered:
        content = msgspec.json.encode(body) if body else b""
        made = request(
            "POST" if body else "GET", target, content, **{"Content_Type": "application/json"} if body else {}
        )
        async with asyncio.timeout(2 * LOAD_S):
            return Answered(await self.shelf.hosts["rollouts"].api.handle(made))

    async def change(self, *changes: dict[str, str], commit: bool = True) -> Answered:
        answer = await self.send("/cluster/rollouts", changes=changes, commit=commit, wait=60)
        if answer.status != 202 or not commit:
            return answer
        # the processes have not started in the longest time that a request may wait
        await eventually(self._has_loaded, "the packages are loaded", 4 * LOAD_S)
        number = answer.json["changes"]
        return await self.send(f"/cluster/rollouts/{answer.json['rollout']}/commit", changes=number, wait=60)

    async def _has_loaded(self) -> bool:
        return (await self.send("/cluster/status")).json["state"] not in {"load", "pause"}

    async def answers(self) -> list[tuple[int, bytes]]:
        return [await node.get() for node in self.nodes]

    async def until_both_answer(self, status: int, text: bytes) -> None:
        async def answered() -> bool:
            return all(
                answer == (status, text) if text else answer[0] == status for answer in await self.answers()
            )

        await eventually(answered, f"both answer {status}", LOAD_S)


async def revision(node: GroupNode) -> str | None:
    """Return the revision that the service of the group answers with."""
    answer = await node.groups.handle(request("GET", "/counters/greeting", b""))
    return answer.headers.get("Bookshelf-Revision")


def put(digest: str, group: str = "counters") -> dict[str, str]:
    return {"kind": "package", "name": group, "digest": digest}
