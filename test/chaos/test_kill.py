"""kill -9 at any moment: what was acknowledged is there, once, and the views are a fold of the log."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from chaos.expected_state import ExpectedState, check_views
from chaos.writers import Attempt, WriterGroup
from support.client import Client
from support.program import Program
from support.until import until

pytestmark = pytest.mark.chaos

ROUNDS = int(os.environ.get("BOOKSHELF_CHAOS_ROUNDS", "5"))
SEED = int(os.environ.get("BOOKSHELF_CHAOS_SEED", "20240229"))
HEAD = "round  acknowledged  unanswered  lost  doubled  ready in s"


class Round(NamedTuple):
    """What one kill did."""

    number: int
    acknowledged: int
    unanswered: int
    lost: int
    doubled: int
    ready_s: float

    def __str__(self) -> str:
        return "{:5}  {:12}  {:10}  {:4}  {:7}  {:10.2f}".format(*self)


def killed(data: Path, number: int, random: Random) -> list[Attempt]:
    """Run a shelf under load, and kill it at some moment; return what was sent."""
    with Program(data).ready() as up:
        clients = [up.client, up.ports]
        moment = random.randint(1, 500)
        with WriterGroup(f"{number}", random, clients) as writer_group:
            until(lambda: writer_group.acknowledged >= moment or not up.alive, f"{moment} commands are done")
            up.kill()
    return writer_group.attempts


def killed_early(data: Path) -> None:
    """Start a shelf, and kill it while it opens its files."""
    with Program(data) as up:
        until((data / "log.sqlite-shm").exists, "it opens the log")
        up.kill()


def check(data: Path, sent: list[Attempt]) -> tuple[int, int]:
    """Return how many commands are lost, and how many are done twice."""
    marks = ExpectedState(data).marks
    lost = [one for one in sent if one.acknowledged and marks[one.mark] == 0]
    doubled = [one for one in sent if marks[one.mark] > 1]
    return len(lost), len(doubled)


def send_again(client: Client, sent: list[Attempt]) -> list[Attempt]:
    """Retry with its key what was not answered; return what must be done now, and once."""
    retried = [one for one in sent if one.status is None and one.key is not None]
    for one in retried:
        for _ in range(2):
            reply = one.send(client)
            assert reply.status < 300, (one, reply)
    return retried


def play(data: Path, number: int, random: Random, ever: list[Attempt]) -> Round:
    """Kill once; look at what is there, retry what was not answered, look again."""
    sent = killed(data, number, random)
    ever += sent
    if random.random() < 0.3:
        killed_early(data)
    odd = {one.status for one in sent} - {None, 200, 201, 204}
    assert odd == set(), odd
    acknowledged, unanswered = (sum(one.acknowledged is said for one in sent) for said in (True, False))
    lost, doubled = check(data, ever)
    began = time.monotonic()
    with Program(data).ready() as up:
        ready_s = time.monotonic() - began
        check_views(up.client, ExpectedState(data))
        retried = send_again(up.client, sent)
        expected = ExpectedState(data)
        assert {expected.marks[one.mark] for one in retried} <= {1}
        assert {expected.keys[one.key] for one in ever if one.key and one.acknowledged} <= {1}
        check_views(up.client, expected)
        assert up.stop().well
    return Round(number, acknowledged, unanswered, lost, doubled, ready_s)


@pytest.fixture
def rounds(capsys: pytest.CaptureFixture[str]) -> Iterator[list[Round]]:
    """The rounds that were played: shown as a table at the end, whatever came of them."""
    played: list[Round] = []
    yield played
    with capsys.disabled():
        table = "\n".join([f"\n\nBOOKSHELF_CHAOS_SEED={SEED}", HEAD, *map(str, played)])
        os.write(1, f"{table}\n".encode())


def test_acknowledged_commands_survive_kill_9_once(tmp_path: Path, rounds: list[Round]) -> None:
    random = Random(SEED)  # noqa: S311 (the same moments every time, and no secrets)
    ever: list[Attempt] = []
    rounds.extend(play(tmp_path / "data", number, random, ever) for number in range(1, ROUNDS + 1))
    assert sum(one.acknowledged for one in rounds) > ROUNDS
    assert [(one.lost, one.doubled) for one in rounds] == [(0, 0)] * ROUNDS
