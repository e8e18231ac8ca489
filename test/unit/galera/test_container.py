"""The node of a container: the folder that it takes, and when it begins, joins or waits."""

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from bookshelf.galera.container import ContainerNode, free_folder, statements
from bookshelf.galera.node import NodeFault
from bookshelf.galera.peers import folder_lock, own_address, resolved
from bookshelf.galera.start import Start

_SAVED = "# GALERA saved state\nseqno: -1\nsafe_to_bootstrap: {}\n"


def test_each_node_of_a_volume_takes_the_first_free_folder(tmp_path: Path) -> None:
    first, lock = free_folder(tmp_path)
    second, other = free_folder(tmp_path)
    lock.close()
    again, third = free_folder(tmp_path)
    assert [one.name for one in (first, second, again)] == ["node1", "node2", "node1"]
    other.close()
    third.close()


class Asked(ContainerNode):
    """A node whose peers are in a cluster, or only run."""

    in_cluster = False
    runs = False

    async def _can_be_joined(self, peer: str) -> bool:
        assert peer
        return self.in_cluster

    async def _runs(self, peer: str) -> bool:
        assert peer
        return self.runs


@pytest.fixture
def node(tmp_path: Path) -> Asked:
    return Asked({"BOOKSHELF_ADDRESS": "10.0.0.1"}, tmp_path / "node1")


def saved(node: Asked, *, was_last: bool, view: bool) -> None:
    node.node.data.mkdir(parents=True)
    (node.node.data / "grastate.dat").write_text(_SAVED.format(int(was_last)))
    if view:
        (node.node.data / "gvwstate.dat").write_text("my_uuid: 1\n")


async def test_an_empty_node_begins_with_the_lock_alone(node: Asked) -> None:
    assert await node.decided([], held=True) is Start.BEGIN
    assert await node.decided([], held=False) is Start.WAIT


async def test_an_empty_node_begins_nothing_while_another_runs(node: Asked) -> None:
    node.runs = True
    assert await node.decided(["10.0.0.2"], held=True) is Start.WAIT
    node.in_cluster = True
    assert await node.decided(["10.0.0.2"], held=True) is Start.JOIN


async def test_the_node_that_was_last_begins_again_also_after_a_crash(node: Asked) -> None:
    saved(node, was_last=True, view=True)
    assert await node.decided(["10.0.0.2"], held=False) is Start.WAIT
    assert await node.decided(["10.0.0.2"], held=True) is Start.BEGIN


async def test_nodes_that_crashed_together_look_for_each_other(node: Asked) -> None:
    saved(node, was_last=False, view=True)
    assert await node.decided(["10.0.0.2"], held=True) is Start.JOIN
    # alone it waits for them
    assert await node.decided([], held=True) is Start.WAIT


async def test_a_node_that_left_before_others_waits_for_them(node: Asked) -> None:
    saved(node, was_last=False, view=False)
    assert await node.decided(["10.0.0.2"], held=True) is Start.WAIT


async def test_one_node_at_a_time_has_the_lock_of_a_volume(tmp_path: Path) -> None:
    async with folder_lock(tmp_path) as held, folder_lock(tmp_path) as second:
        assert (held, second) == (True, False)
    async with folder_lock(tmp_path) as again:
        assert again


def test_a_password_is_quoted_and_a_wrong_name_refused() -> None:
    made = statements("bookshelf", "it's \\ one")
    assert "IDENTIFIED BY 'it\\'s \\\\ one';" in made
    assert "GRANT ALL ON `bookshelf%`.*" in made
    with pytest.raises(NodeFault, match="MARIADB_USER"):
        statements("bookshelf'@'%", "x")
    with pytest.raises(NodeFault, match="MARIADB_USER"):
        statements("bookshelf\n", "x")


async def test_a_node_without_a_password_makes_nothing(node: Asked) -> None:
    with pytest.raises(NodeFault, match="MARIADB_PASSWORD"):
        await node.start()
    assert not node.node.folder.exists()


def test_of_several_own_addresses_the_one_of_the_nodes_is_taken() -> None:
    table = {socket.gethostname(): ["172.18.0.5", "10.0.1.7"], "tasks.db": ["10.0.1.6", "10.0.1.7"]}

    def look_up(names: Sequence[str]) -> list[str]:
        return [address for name in names for address in table.get(name, ())]

    assert own_address({}, ["tasks.db"], look_up) == "10.0.1.7"
    assert own_address({"BOOKSHELF_ADDRESS": "auto"}, ["unknown"], look_up) == "172.18.0.5"
    assert own_address({"BOOKSHELF_ADDRESS": "10.9.9.9"}, ["tasks.db"], look_up) == "10.9.9.9"


def test_names_without_an_address_are_left_out() -> None:
    assert resolved(["127.0.0.1", "a name with spaces", "127.0.0.1"]) == ["127.0.0.1"]
