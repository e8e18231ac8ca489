"""The folder of a server, which is complete or not there, whenever its making was ended."""

import asyncio
import os
from pathlib import Path

import pytest
from support.until import eventually

from bookshelf.galera.node import Node
from bookshelf.galera.options import NodeAddress

#: Begins a folder, and comes to its end only if there is the file `go` beside the program.
_INSTALL = """#!/bin/sh
for option; do case $option in --datadir=*) data=${option#--datadir=} ;; esac; done
mkdir -p "$data/mysql"
[ -e "$(dirname "$0")/go" ] || sleep 600
echo whole > "$data/mysql/end"
"""


async def test_a_folder_whose_making_was_ended_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mariadb-install-db").write_text(_INSTALL)
    (programs / "mariadb-install-db").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    node = Node(1, NodeAddress("node1", "127.0.0.1", 1, 2, 3, 4), tmp_path / "node1")

    async def begun() -> bool:
        return any(node.folder.glob("*/mysql"))

    making = asyncio.create_task(node.make())
    await eventually(begun, "the program has begun")
    making.cancel()
    await asyncio.gather(making, return_exceptions=True)
    assert making.cancelled()
    (programs / "go").touch()
    await node.make()
    assert (node.data / "mysql" / "end").read_text() == "whole\n"
    assert sorted(path.name for path in node.folder.iterdir()) == ["data", "tmp"]
