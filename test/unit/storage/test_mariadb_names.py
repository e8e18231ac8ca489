"""The names in the setting `storage`: one of them can have the addresses of all nodes."""

import asyncio
import socket
from typing import Any

import pytest

from bookshelf.storage.mariadb.address import read_address
from bookshelf.storage.mariadb.nodes import Host, NodeChoice, addresses
from bookshelf.storage.shared.database import Timeouts


class OneName(asyncio.SelectorEventLoop):
    """A loop in which `db` has the addresses of three nodes, and no other name has one."""

    numbers: tuple[int, ...] = (1, 2, 3, 1)

    async def getaddrinfo(self, host: Any, port: Any, **_: object) -> list[Any]:  # noqa: ANN401 (as declared)
        if host != "db":
            raise socket.gaierror
        found = [(socket.AF_INET, 1, 6, "", (f"10.0.0.{number}", port)) for number in self.numbers]
        return [*found, (socket.AF_INET6, 1, 6, "", ("fd00::1", port))]


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        ((("db", 3306),), [("10.0.0.1", 3306), ("10.0.0.2", 3306), ("10.0.0.3", 3306)]),
        ((("away", 1), ("away", 2)), [("away", 1), ("away", 2)]),
    ],
    ids=["a name with three", "names without"],
)
def test_every_address_of_a_name_is_a_node(
    hosts: tuple[tuple[str, int], ...], found: list[tuple[str, int]]
) -> None:
    with asyncio.Runner(loop_factory=OneName) as runner:
        assert list(runner.run(addresses(hosts))) == found


class OpenConnection:
    """A connection, which can be closed."""

    def __init__(self, node: Host) -> None:
        self.node = node
        self.closed = False

    def close(self) -> None:
        self.closed = True


class FewNodes(NodeChoice):
    """Connects to nodes of which some do not answer."""

    def __init__(self) -> None:
        super().__init__(read_address("mariadb://a:b@db/shelf"), Timeouts(), "SET NAMES utf8mb4")
        self.silent: set[str] = set()

    async def _connect_to(self, node: Host) -> Any:  # noqa: ANN401 (as declared)
        if node[0] in self.silent:
            raise ConnectionRefusedError
        return OpenConnection(node)


async def _grown(loop: OneName) -> None:
    nodes = FewNodes()
    loop.numbers = (1,)
    first = await nodes.connect()
    assert (first.node[0], nodes.several) == ("10.0.0.1", False)
    # the cluster grows, and then its first node is lost, while a connection to that is still open
    loop.numbers = (1, 2, 3)
    nodes.silent = {"10.0.0.1"}
    second = await nodes.connect()
    assert (second.node[0], first.closed) == ("10.0.0.2", True)


async def _renamed(loop: OneName) -> None:
    nodes = FewNodes()
    loop.numbers = (1,)
    first = await nodes.connect()
    loop.numbers = (2,)
    # what is read must not go back in time: all connections are to one node
    second = await nodes.connect()
    assert (second.node, first.closed) == (first.node, False)
    nodes.silent = {"10.0.0.1"}
    third = await nodes.connect()
    assert (third.node[0], first.closed, second.closed) == ("10.0.0.2", True, True)


def test_an_instance_of_one_node_finds_those_that_came_later() -> None:
    for case in (_grown, _renamed):
        loop = OneName()
        with asyncio.Runner(loop_factory=lambda loop=loop: loop) as runner:  # type: ignore[misc]
            runner.run(case(loop))
