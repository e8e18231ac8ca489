"""Which node begins a cluster, and what each one is started with."""

from pathlib import Path

import pytest

from bookshelf.galera.options import NodeAddress, options
from bookshelf.galera.start import (
    FolderState,
    Start,
    allow,
    decide,
    folder_state,
    furthest,
    peers,
    recovered,
    safest,
)

EMPTY, LAST, OTHER = FolderState(False, False), FolderState(True, True), FolderState(True, False)  # noqa: FBT003
STATE = "# GALERA saved state\nversion: 2.1\nuuid:    1-2\nseqno:   -1\nsafe_to_bootstrap: {}\n"


@pytest.mark.parametrize("folder", [EMPTY, LAST, OTHER])
@pytest.mark.parametrize("holds_lock", [True, False])
def test_a_node_that_sees_a_cluster_joins_it(folder: FolderState, holds_lock: bool) -> None:  # noqa: FBT001 (a case)
    assert decide(holds_lock=holds_lock, cluster_seen=True, folder=folder) is Start.JOIN


@pytest.mark.parametrize(
    ("holds_lock", "folder", "expected"),
    [
        (True, EMPTY, Start.BEGIN),
        (True, LAST, Start.BEGIN),
        (True, OTHER, Start.WAIT),
        (False, EMPTY, Start.WAIT),
        (False, LAST, Start.WAIT),
        (False, OTHER, Start.WAIT),
    ],
)
def test_only_a_node_that_no_other_one_may_know_better_begins(
    holds_lock: bool,  # noqa: FBT001 (a case)
    folder: FolderState,
    expected: Start,
) -> None:
    assert decide(holds_lock=holds_lock, cluster_seen=False, folder=folder) is expected


def test_the_folder_shows_which_node_was_the_last_one(tmp_path: Path) -> None:
    assert folder_state(tmp_path) == EMPTY
    file = tmp_path / "grastate.dat"
    file.write_text(STATE.format(0))
    assert folder_state(tmp_path) == OTHER
    allow(tmp_path)
    assert (folder_state(tmp_path), file.read_text()) == (LAST, STATE.format(1))


def test_after_a_crash_of_all_the_node_that_came_furthest_begins() -> None:
    assert safest({1: OTHER, 2: OTHER, 3: EMPTY}) is None
    assert furthest({1: 7, 2: 9, 3: 9}) == 2
    assert safest({1: OTHER, 2: LAST, 3: EMPTY}) == 2
    assert safest({1: EMPTY, 2: EMPTY, 3: EMPTY}) == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("WSREP: Recovered position: 6d7e9d9c-c9c0-11f0-8c7b-3a5d8b1c2e4f:1234", 1234),
        ("WSREP: Recovered position 6d7e9d9c-c9c0-11f0-8c7b-3a5d8b1c2e4f:12,0-1-5", 12),
        ("WSREP: Recovered position: 00000000-0000-0000-0000-000000000000:-1", -1),
        ("nothing of it", -1),
    ],
)
def test_how_far_a_node_had_come_is_read_from_its_output(line: str, expected: int) -> None:
    assert recovered(f"before\n{line}\nafter\n") == expected


def test_peers_have_the_usual_port_unless_they_have_another() -> None:
    assert peers({"BOOKSHELF_GALERA_PEERS": "db1, db2:4000,"}) == ["db1:4567", "db2:4000"]
    assert peers({}) == []


def test_a_node_takes_its_rows_from_the_preferred_ones_else_from_any() -> None:
    address = NodeAddress("node3", "127.0.0.1", 1, 2, 3, 4)
    made = options(address, ["127.0.0.1:2", "127.0.0.1:5"], ["node2"], {"gcache.size": "1M"})
    assert "--wsrep-sst-donor=node2," in made
    assert "--wsrep-cluster-address=gcomm://127.0.0.1:2,127.0.0.1:5" in made
    [provider] = [option for option in made if option.startswith("--wsrep-provider-options")]
    assert provider.endswith(";gcache.size=1M")
    assert not any("donor" in option for option in options(address, []))
