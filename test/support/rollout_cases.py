"""The cases of faults in a rollout, numbered, and which of them one run of all tests does.

A run does twelve, as each takes seconds: of those whose number has the remainder by three that the hash of
the commit has, so that the commits of a few days do all. `make faults` does the others, too.
"""

import subprocess
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Literal, NamedTuple

from support.cut_wire import Cut
from support.process import ROOT

#: kill, stop, leave: a signal to a process of the domain. cut: between a node and a server. join: one more
#: node starts. broker: that of the domain is killed.
Fault = Literal["kill", "leave", "stop", "join", "broker", "cut"]
Point = Literal["before", "after"]
Barrier = Literal["commit", "prepare"]
POINTS: tuple[Point, ...] = ("before", "after")
BARRIERS: tuple[Barrier, ...] = ("commit", "prepare")
CUTS: tuple[Cut, ...] = ("refused", "silent")
#: How many cases a run of all tests does.
COUNT = 12
_PARTS = 3


class Stage(NamedTuple):
    """A stage, the text of the event that begins it, and how it is reached."""

    name: str
    text: str
    way: str


STAGES = (
    Stage("load", '"phase":"load"', "commit"),
    Stage("prepared", "cluster.rollout-prepared.v1", "commit"),
    Stage("pause", '"phase":"pause"', "commit"),
    Stage("deploy", '"phase":"deploy"', "commit"),
    Stage("committed", "cluster.revision-committed.v1", "commit"),
    Stage("aborted", "cluster.rollout-aborted.v1", "abort"),
    Stage("rollback", '"phase":"rollback"', "stop"),
    Stage("rolled back", "cluster.rollout-rolled-back.v1", "stop"),
)
_OPEN = STAGES[:4]
#: The deployment, of which a rollback is requested that the victim does not read.
UNDONE = Stage("undone", '"phase":"deploy"', "stop")


class Case(NamedTuple):
    """A fault. `victim`: owner, node or gateway; `server`: what that is cut off from, or nothing."""

    fault: Fault
    stage: Stage
    victim: str
    point: Point
    barrier: Barrier
    server: str = ""
    cut: Cut = "refused"

    @property
    def name(self) -> str:
        """What it is called in the list of tests."""
        parts = [self.fault, self.stage.name, self.victim, self.point, self.barrier]
        return "-".join([*parts, self.server, self.cut] if self.server else parts)


def _cases() -> list[Case]:
    made: list[Case] = []
    for stage, victim, point in product(STAGES, ("owner", "node"), POINTS):
        made.append(Case("kill", stage, victim, point, BARRIERS[len(made) % 2]))
    for number, (stage, victim) in enumerate(product(STAGES, ("owner", "node"))):
        barrier = BARRIERS[number // 2 % 2]
        made.append(Case("stop", stage, victim, "before", barrier))
        made.append(Case("leave", stage, victim, "before", barrier))
    made += [Case("join", stage, "node", "before", "prepare") for stage in STAGES]
    made += [Case("broker", stage, "broker", "before", "prepare") for stage in _OPEN]
    cuts = product(_OPEN, ("Kafka", "Consul"), BARRIERS, CUTS)
    made += [_cut(stage, "node", barrier, server, cut) for stage, server, barrier, cut in cuts]
    made += [_cut(UNDONE, "node", barrier, "Kafka", cut) for barrier, cut in product(BARRIERS, CUTS)]
    made.append(_cut(STAGES[6], "node", "commit", "Kafka", "silent"))
    made.append(_cut(STAGES[6], "node", "prepare", "Kafka", "refused"))
    return made + _cases_of_gateways()


def _cut(stage: Stage, victim: str, barrier: Barrier, server: str, cut: Cut) -> Case:
    return Case("cut", stage, victim, "before", barrier, server, cut)


def _cases_of_gateways() -> list[Case]:
    """Return what happens to one of the two gateways; the rollouts pause them, too."""
    made: list[Case] = []
    for number, stage in enumerate(STAGES):
        made.append(Case("kill", stage, "gateway", POINTS[number % 2], BARRIERS[number // 2 % 2]))
        made.append(Case("stop", stage, "gateway", "before", BARRIERS[number % 2]))
    for number, (stage, cut) in enumerate(product((*_OPEN[1:], UNDONE), CUTS)):
        made.append(_cut(stage, "gateway", BARRIERS[number // 2 % 2], "Kafka", cut))
    for number, (stage, cut) in enumerate(product(_OPEN[2:], CUTS)):
        made.append(_cut(stage, "gateway", BARRIERS[number // 2 % 2], "Consul", cut))
    return made


CASES: Sequence[Case] = tuple(_cases())


def chosen(count: int, commit: str) -> frozenset[int]:
    """Return the numbers of the cases, of so many, that a run at this commit does: spread over all."""
    value = int(commit, 16)
    numbers = range(value % _PARTS, count, _PARTS)
    step, rest = divmod(len(numbers), COUNT)
    shift = value // _PARTS % (step + bool(rest))
    places = (place * len(numbers) // COUNT + shift for place in range(COUNT))
    return frozenset(numbers[place % len(numbers)] for place in places)


@cache
def commit() -> str:
    """Return the hash of the commit of these files; always the same one where there is no git."""
    try:
        found = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "0"
    return found.stdout.strip()


def numbers() -> frozenset[int]:
    """Return the numbers of the cases that this run does."""
    return chosen(len(CASES), commit())


def headline() -> str:
    """Return the line that names them."""
    ours = sorted(numbers())
    cases = ", ".join(f"{number} {CASES[number].name}" for number in ours)
    return f"faults in rollouts: {len(ours)} of {len(CASES)} cases, by commit {commit()[:12]}: {cases}"
