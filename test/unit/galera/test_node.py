"""The folder of a server, which is complete or not there, whenever its making was ended."""

import asyncio
import os
from pathlib import Path

import pytest
from support.until import eventually

from bookshelf.galera.node import Node, NodeFault
from bookshelf.galera.options import NodeAddress

#: Begins a folder, and comes to its end only if there is the file `go` beside the program.
_INSTALL = """#!/bin/sh
for option; do case $option in --datadir=*) data=${option#--datadir=} ;; esac; done
mkdir -p "$data/mysql"
[ -e "$(dirname "$0")/go" ] || sleep 600
echo whole > "$data/mysql/end"
"""


def program(tmp_path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program where it is found first."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / name).write_text(text)
    (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def node_in(tmp_path: Path) -> Node:
    return Node(1, NodeAddress("node1", "127.0.0.1", 1, 2, 3, 4), tmp_path / "node1")


async def test_a_folder_whose_making_was_ended_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "mariadb-install-db", _INSTALL, monkeypatch)
    node = node_in(tmp_path)

    async def begun() -> bool:
        return any(node.folder.glob("*/mysql"))

    making = asyncio.create_task(node.make())
    await eventually(begun, "the program has begun")
    making.cancel()
    await asyncio.gather(making, return_exceptions=True)
    assert making.cancelled()
    (tmp_path / "bin" / "go").touch()
    await node.make()
    assert (node.data / "mysql" / "end").read_text() == "whole\n"
    assert sorted(path.name for path in node.folder.iterdir()) == ["data", "tmp"]


@pytest.mark.needs("mariadb")
async def test_of_two_that_start_a_node_at_once_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "setpriv", "#!/bin/sh\nexec sleep 600\n", monkeypatch)
    node = node_in(tmp_path)
    node.folder.mkdir()
    done = await asyncio.gather(node.launch([]), node.launch([]), return_exceptions=True)
    await node.kill()
    assert [type(one) for one in done] == [type(None), NodeFault]
    await node.launch([])
    assert node.pid is not None
    await node.kill()
