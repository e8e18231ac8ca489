"""The process of the embedded log is killed around each append of a rollout: all of it is done, or none."""

import contextlib
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import pytest
from support.client import Client
from support.process import ROOT
from support.program import Program
from support.until import until

DOMAIN = {"BOOKSHELF_CLUSTER_DOMAIN": "blue", "PYTHONPATH": f"{ROOT}:{ROOT / 'test'}"}
BOOK = {"title": "Dune", "author": "Frank Herbert", "published": "1965"}


class Kill(NamedTuple):
    """Where the process dies, and the revision of the domain after it has started again."""

    point: str
    text: str
    revision: int


def phase(name: str) -> str:
    return f'"phase":"{name}"'


KILLS = [
    Kill("after", phase("deploy"), 0),
    Kill("after", "cluster.revision-committed.v1", 1),
]
MORE_KILLS = [
    Kill("after", phase("load"), 0),
    Kill("before", phase("load"), 0),
    Kill("after", "cluster.rollout-prepared.v1", 0),
    Kill("before", "cluster.commit-requested.v1", 0),
    Kill("after", phase("pause"), 0),
    Kill("before", phase("deploy"), 0),
    Kill("before", "cluster.revision-committed.v1", 0),
]


def propose(client: Client, state: str) -> int:
    """Close or open the service newbook; return the status."""
    change = {"kind": "policy", "name": "newbook", "content": f'state = "{state}"\n'}
    return client.post("/cluster/rollouts", {"changes": [change], "commit": True, "wait": 30}).status


def status(client: Client) -> tuple[int, str]:
    """Return the revision of the domain, and the open rollout."""
    found = client.get("/cluster/status").json
    return found["revision"], found["rollout"]


def is_added(client: Client) -> bool:
    return client.post("/books", BOOK).status == 201


def test_after_each_kill_the_change_is_in_force_or_it_is_not(tmp_path: Path) -> None:
    check_kills(KILLS, tmp_path)


@pytest.mark.slow
def test_after_further_kills_the_change_is_in_force_or_it_is_not(tmp_path: Path) -> None:
    check_kills(MORE_KILLS, tmp_path)


def check_kills(kills: list[Kill], folder: Path) -> None:
    for number, kill in enumerate(kills):
        data = folder / str(number)
        killed = f"support.killed_rollout {kill.point} {kill.text}"
        with Program(data, "--only", "newbook", "--only", "cluster", env=DOMAIN, program=killed) as program:
            with contextlib.suppress(OSError, HTTPException):
                propose(program.ready().client, "closed")
            assert program.ended().code == -9
        with Program(data, "--only", "newbook", "--only", "cluster", env=DOMAIN) as program:
            client = program.ready().client
            assert status(client) == (kill.revision, ""), kill
            wanted = 503 if kill.revision else 201
            assert client.post("/books", BOOK).status == wanted, kill
            assert propose(client, "open") == 200, kill
            until(partial(is_added, client), "books are admitted")
