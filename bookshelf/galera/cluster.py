"""One to three MariaDB servers of one Galera cluster in one folder, to develop and test with."""

import asyncio
import json
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bookshelf.galera import start
from bookshelf.galera.node import Node, NodeFault, check_programs
from bookshelf.galera.options import NodeAddress, options

HOST = "127.0.0.1"
#: How many nodes there can be: with three the cluster stays when one is lost.
ALL = 3
_PORTS = 4
_USER = "bookshelf"
#: The states of nodes whose cluster has its majority.
_MEMBERS = frozenset({"Synced", "Donor/Desynced", "Joined"})
_FILE = "cluster.json"
#: Of the library: a node with little to keep for others.
_SMALL = {"gcache.size": "32M", "gcs.fc_limit": "64"}


def free_ports(number: int) -> list[int]:
    """Return ports of the loopback interface that nothing listens on."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in taken:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in taken]


def _made(file: Path, first_port: int | None) -> dict[str, Any]:
    """Return the ports and the password of a folder, and make them if it has none."""
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if first_port is not None and first_port != found["ports"][0][0]:
            msg = f"{file} has another port; leave out --port, or choose another --folder"
            raise NodeFault(msg)
        return found
    free = free_ports(ALL * _PORTS)
    ports = [free[_PORTS * place : _PORTS * (place + 1)] for place in range(ALL)]
    if first_port is not None:
        ports = [[first_port + place, *others[1:]] for place, others in enumerate(ports)]
    made = {"ports": ports, "password": secrets.token_urlsafe(18)}
    unfinished = file.with_suffix(".new")
    unfinished.touch(0o600)
    unfinished.write_text(json.dumps(made), encoding="utf-8")
    unfinished.rename(file)
    return made


class Cluster:
    """The nodes of a folder. `report` takes a line for each thing that takes a while."""

    def __init__(self, folder: Path, port: int | None, report: Callable[[str], None]) -> None:
        check_programs()
        made = _made(folder / _FILE, port)
        self._password: str = made["password"]
        self._report = report
        self._changing = asyncio.Lock()
        self.nodes: dict[int, Node] = {}
        for number, ports in enumerate(made["ports"], 1):
            address = NodeAddress(f"node{number}", HOST, *ports)
            self.nodes[number] = Node(number, address, folder / f"node{number}")
        #: The numbers of the nodes that are part of the cluster, running or not.
        self.members: list[int] = []

    @property
    def storage(self) -> str:
        """The setting `storage` for services that use it."""
        hosts = ",".join(f"{HOST}:{self.nodes[number].address.sql}" for number in self.members)
        return f"mariadb://{_USER}:{self._password}@{hosts}/bookshelf"

    def _options(self, number: int) -> list[str]:
        address = [node.address for node in self.nodes.values()]
        # the first node serves alone at first, so later ones take their rows from another one if they can
        donors = [self.nodes[other].address.name for other in self.members if other not in {1, number}]
        peers = [f"{one.host}:{one.group}" for one in address]
        return options(self.nodes[number].address, peers, donors, _SMALL)

    async def grow(self, number: int) -> None:
        """Have this many nodes, each with all rows; those that run go on. Raises `NodeFault`."""
        async with self._changing:
            if number < len(self.members):
                msg = f"{len(self.members)} nodes run; end them first to have fewer"
                raise NodeFault(msg)
            if not self.members:
                await self._begin(number)
            for other in range(1, number + 1):
                if other not in self.members:
                    await self._start(other)

    async def _begin(self, number: int) -> None:
        """Begin the cluster with the node that may do that."""
        folders = {number: start.folder_state(node.data) for number, node in self.nodes.items()}
        first = start.safest(folders)
        if first is None:
            first = start.furthest(await self._positions(start.with_rows(folders)))
            start.allow(self.nodes[first].data)
        if first > number:
            msg = f"node {first} has the newest rows of this folder; start it with --nodes {ALL}"
            raise NodeFault(msg)
        await self._start(first, "--wsrep-new-cluster")
        await self._add_user(self.nodes[first])

    async def _positions(self, numbers: Iterable[int]) -> Mapping[int, int]:
        found = {}
        for number in numbers:
            self._report(f"node {number}: looks how far it had come")
            found[number] = start.recovered(await self.nodes[number].recover(self._options(number)))
        return found

    async def _start(self, number: int, *more: str, waits: bool = True) -> None:
        node = self.nodes[number]
        self._report(f"node {number}: starts at {HOST}:{node.address.sql}")
        await node.make()
        await node.launch([*self._options(number), *more])
        if waits:
            await node.ready()
        if number not in self.members:
            self.members = sorted([*self.members, number])

    async def _add_user(self, node: Node) -> None:
        user = f"'{_USER}'@'{HOST}'"
        await node.run(
            f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{self._password}';"
            f" GRANT ALL ON `bookshelf%`.* TO {user}"
        )

    async def kill(self, number: int) -> None:
        """End a node as a crash would. Raises `NodeFault`."""
        await self._member(number).kill()

    async def restart(self, number: int) -> None:
        """Start a node that has ended. Raises `NodeFault`."""
        if self._member(number).pid is not None:
            msg = f"node {number} runs already"
            raise NodeFault(msg)
        states = [await node.state() for node in self.nodes.values() if node.pid is not None]
        if states:
            # without a majority the nodes wait for each other: it is ready once all are there
            await self._start(number, waits=bool(_MEMBERS.intersection(states)))
        else:
            async with self._changing:
                await self._begin_again(number)

    async def _begin_again(self, number: int) -> None:
        """Start the first node after all have ended."""
        positions = await self._positions(self.members)
        if positions[number] < max(positions.values()):
            msg = f"no node runs, and node {start.furthest(positions)} has newer rows; start that one first"
            raise NodeFault(msg)
        start.allow(self.nodes[number].data)
        await self._start(number, "--wsrep-new-cluster")

    def _member(self, number: int) -> Node:
        if number not in self.members:
            msg = f"there is no node {number}; there are {', '.join(map(str, self.members))}"
            raise NodeFault(msg)
        return self.nodes[number]

    async def status(self) -> dict[str, Any]:
        """Return the setting `storage`, and of each node its number, port, process and state."""
        nodes = [self.nodes[number] for number in self.members]
        states = await asyncio.gather(*(node.state() for node in nodes))
        shown = [
            {
                "number": node.number,
                "port": node.address.sql,
                "pid": node.pid,
                "state": (state or "no answer") if node.pid is not None else "stopped",
            }
            for node, state in zip(nodes, states, strict=True)
        ]
        return {"storage": self.storage, "nodes": shown}

    async def stop(self) -> None:
        """End all nodes, one after the other, so that the last one can begin the cluster again."""
        for number in sorted(self.members, reverse=True):
            await self.nodes[number].stop()

    async def kill_all(self) -> None:
        """End whatever runs at once."""
        await asyncio.gather(*(node.kill() for node in self.nodes.values()))
