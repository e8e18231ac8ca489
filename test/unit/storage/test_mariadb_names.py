"""The names in the setting `storage`: one of them can have the addresses of all nodes."""

import asyncio
import socket
from typing import Any

import pytest

from bookshelf.storage.mariadb.nodes import addresses


class OneName(asyncio.SelectorEventLoop):
    """A loop in which `db` has the addresses of three nodes, and no other name has one."""

    async def getaddrinfo(self, host: Any, port: Any, **_: object) -> list[Any]:  # noqa: ANN401 (as declared)
        if host != "db":
            raise socket.gaierror
        found = [(socket.AF_INET, 1, 6, "", (f"10.0.0.{number}", port)) for number in (1, 2, 3, 1)]
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
