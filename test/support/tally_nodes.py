"""Two nodes of a domain for the package `tallies`, a gateway, and the services of the domain

They can be stopped and started again, all together.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from support.client import Client
from support.fleet import Fleet
from support.instance import names_of_its_own
from support.node_browser import NodeBrowser
from support.process import Ended, bookshelf
from support.process_with_ports import Announced
from support.tally_package import tally_package
from support.until import until

from bookshelf.runtime.data_folder import running

#: Seconds for a view to be made anew, on a machine that does much else.
PATIENCE_S = 60.0
#: The groups whose requests go to their primary only; `counters` has processes only if a test starts them.
PRIMARIES = ("tallies", "counters")


class TallyNodes:
    """Two nodes, a gateway with the rule `primary`, and the services of their domain."""

    def __init__(self, folder: Path, broker: str, agent: str, stack: ExitStack) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        rules = folder / "gateway.toml"
        rules.write_text("".join(f'[[primary]]\ngroup = "{name}"\nwait_s = 30\n' for name in PRIMARIES))
        self.env = {
            "BOOKSHELF_BROKER": broker,
            "BOOKSHELF_CONSUL": agent,
            "BOOKSHELF_CLUSTER_DOMAIN": "blue",
            "BOOKSHELF_CLUSTER_REPOSITORY": str(self.repository),
            "BOOKSHELF_CLUSTER_LOAD_S": "120",
            "BOOKSHELF_GATEWAY_RULES": str(rules),
            **names_of_its_own(),
        }
        assert bookshelf("repo", "init", self.repository).well
        self.fleet = Fleet(folder / "fleet", broker, agent, **self.env)
        stack.callback(self.fleet.close)
        self._running = stack.enter_context(ExitStack())
        self.start()

    def start(self) -> None:
        """Start all processes, those of the domain first, and wait until they are ready."""
        self.fleet.start("rollouts", 1)  # it creates the topics of the domain
        for service in ("sessions", "locks", "gateway"):
            self.fleet.launch(service, 1)
        self._nodes = [self._running.enter_context(self._node(name)) for name in ("one", "two")]
        for member in self.fleet.members.values():
            member.ready()
        for node in self._nodes:
            node.ready()
        self.gateway = self.fleet.gateway
        self.clients = [Client(node.note.url) for node in self._nodes]

    def stop(self) -> None:
        """Stop all processes in order."""
        for node in self._nodes:
            assert node.stop().code == 0
        self._running.pop_all().close()
        for name in ("gateway-1", "locks-1", "sessions-1", "rollouts-1"):
            self.fleet.retire(name)

    def _node(self, name: str) -> Announced:
        ports = ("--http-port", "0", "--admin-port", "0")
        node = Announced("node", "--name", name, "--data", str(self.folder / name), *ports, env=self.env)
        node.folder = self.folder / name / "run" / name
        return node

    def add(self, version: str) -> None:
        """Add a version of the package to the repository."""
        file = self.folder / f"tallies-{version}.pack"
        file.write_bytes(tally_package(version))
        assert bookshelf("repo", "add", file, env=self.env).well

    def pages(self) -> list[str]:
        """Return the texts of the pages of both nodes and of the gateway."""
        gateway = running(self.folder / "fleet" / "data" / "run" / "gateway-1")
        assert gateway is not None
        return [NodeBrowser(note).page() for note in (*(node.note for node in self._nodes), gateway)]

    def differences(self) -> list[Any]:
        """Return the differences that `bookshelf admin members` lists, but for single instances."""
        asked = bookshelf("admin", "--data", self._nodes[0].folder, "--json", "members", env=self.env)
        found = msgspec.json.decode(asked.well)
        assert {"one", "two", "gateway-1"} <= {one["node"] for one in found["members"]}
        kinds = {one["kind"]: one["names"] for one in found["differences"]}
        assert {"rollouts", "sessions", "locks"} <= set(kinds["single"])
        return [one for one in found["differences"] if one["kind"] != "single"]

    def admin(self, *command: str) -> Ended:
        return bookshelf("admin", "--data", self._nodes[0].folder, *command, "--commit", env=self.env)

    def both(self, path: str) -> list[Any]:
        """Return the answer of each node: its JSON, or its status."""
        replies = [client.get(path) for client in self.clients]
        return [reply.json if reply.status == 200 else reply.status for reply in replies]

    def lock(self) -> Any:  # noqa: ANN401 (JSON)
        """Return the only lock, once the view has it."""
        found: list[Any] = []

        def is_there() -> bool:
            found[:] = self.gateway.get("/cluster/locks").json
            return len(found) == 1

        until(is_there, "the lock is listed", PATIENCE_S)
        return found[0]

    def until_both(self, path: str, answer: object) -> None:
        until(lambda: self.both(path) == [answer, answer], f"both answer {path} with {answer}", PATIENCE_S)
