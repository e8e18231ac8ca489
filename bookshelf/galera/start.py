"""How a node starts: it begins a cluster, joins one, or waits. Pure, apart from the folder that it reads.

Two nodes that each begin a cluster have different rows from then on, so a node begins one only if it alone
may decide that, no cluster is there, and it has nothing that another node may know better.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

#: The setting with the peers, each as host or host:port, separated by commas.
PEERS = "BOOKSHELF_GALERA_PEERS"
_GROUP_PORT = 4567
_STATE_FILE = "grastate.dat"
_RECOVERED = re.compile(r"WSREP: Recovered position:? *([0-9a-f-]{36}):(-?[0-9]+)")
_SAFE = re.compile(r"^safe_to_bootstrap: *[01]$", re.MULTILINE)


class Start(StrEnum):
    """What a node does."""

    BEGIN = "begin"
    JOIN = "join"
    WAIT = "wait"


class FolderState(NamedTuple):
    """What a node's folder has: whether there are rows, and whether the node was the last one to stop."""

    has_rows: bool
    was_last: bool


def folder_state(data: Path) -> FolderState:
    """Read a data folder, which need not exist."""
    try:
        text = (data / _STATE_FILE).read_text(encoding="ascii")
    except OSError:
        return FolderState(has_rows=False, was_last=False)
    return FolderState(has_rows=True, was_last="safe_to_bootstrap: 1" in text)


def decide(*, holds_lock: bool, cluster_seen: bool, folder: FolderState) -> Start:
    """Return what a node does.

    `holds_lock`: no other node decides at the same time. `cluster_seen`: a peer belongs to a cluster that has
    its majority.
    """
    if cluster_seen:
        return Start.JOIN
    if holds_lock and (folder.was_last or not folder.has_rows):
        return Start.BEGIN
    return Start.WAIT


def peers(environ: Mapping[str, str]) -> list[str]:
    """Return host and port of the group on each node, from the setting `BOOKSHELF_GALERA_PEERS`."""
    listed = (peer.strip() for peer in environ.get(PEERS, "").split(","))
    return [peer if ":" in peer else f"{peer}:{_GROUP_PORT}" for peer in listed if peer]


def recovered(output: str) -> int:
    """Return how far a node had come, from what its server prints for `--wsrep-recover`; -1 if unknown."""
    found = _RECOVERED.findall(output)
    return int(found[-1][1]) if found else -1


def furthest(positions: Mapping[int, int]) -> int:
    """Return the number of the node that has come furthest; of equal ones the first."""
    return min(positions, key=lambda number: (-positions[number], number))


def allow(data: Path) -> None:
    """Note in the folder of a node that it may begin the cluster, because it has come furthest."""
    file = data / _STATE_FILE
    text = file.read_text(encoding="ascii")
    file.write_text(_SAFE.sub("safe_to_bootstrap: 1", text), encoding="ascii")


def safest(folders: Mapping[int, FolderState]) -> int | None:
    """Return the number of the node that may begin the cluster again as it is; None if positions decide."""
    if not any(folder.has_rows for folder in folders.values()):
        return min(folders)
    return next((number for number, folder in sorted(folders.items()) if folder.was_last), None)


def with_rows(folders: Mapping[int, FolderState]) -> Iterable[int]:
    """Return the numbers of the nodes that have rows."""
    return sorted(number for number, folder in folders.items() if folder.has_rows)
