"""Every interleaving of rollouts on three nodes, within bounds: J1 to J4 hold, and planted defects are found.

`make explore` explores further. Counts are printed: run it with `-s`.
"""

import time

import pytest
from support.alike import ALL, Reductions
from support.cluster_rules import (
    CountsEarlierRollout,
    CountsTwice,
    NodeDecides,
    NoDigest,
    ResumesAfterVote,
    ResumesEarly,
    Rules,
    ServesAtOnce,
    TimesOutAlone,
)
from support.endings import Endings
from support.exploration_steps import Violated
from support.explorer import Explorer
from support.situations import Bounds

from bookshelf.cluster.events import NodeJoined, NodeLeft, VoteRecorded
from bookshelf.cluster.member import Transition, read_event

#: The bounds of the design, with time limits, commits and rollbacks without bound.
DESIGN = Bounds(crashes=1, cuts=1, evictions=1, departures=1)
ONE_OF_EACH = DESIGN._replace(delays=1, failures=1, other_contents=1, total=1)
#: What an exploration has to come to, so that it has explored what it is for.
OUTCOMES = {"RevisionCommitted", "RolloutAborted", "RolloutRolledBack", "at rest"}
NOTHING = Reductions(symmetry=False, numbers=False, batches=False, eager=False, budgets=False)


def explore(bounds: Bounds, reductions: Reductions = ALL) -> Explorer:
    explorer, began = Explorer(bounds, reductions=reductions), time.process_time()
    number = explorer.run()
    took = time.process_time() - began
    print(f"\n{bounds}: {number} situations in {took:.0f} s; {dict(explorer.counts)}")  # noqa: T201 (asked for)
    assert explorer.counts.keys() >= OUTCOMES
    return explorer


@pytest.mark.parametrize(
    "bounds",
    [
        DESIGN,
        ONE_OF_EACH,
        ONE_OF_EACH._replace(slow=True),
        ONE_OF_EACH._replace(barrier="prepare", extensions=1),
    ],
    ids=str,
)
def test_in_every_interleaving_a_rollout_ends_once_and_alike(bounds: Bounds) -> None:
    assert explore(bounds).visits > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "bounds",
    [
        DESIGN._replace(barrier="prepare"),
        Bounds(rollouts=2, crashes=1, cuts=1, evictions=1),
        ONE_OF_EACH._replace(total=2),
        ONE_OF_EACH._replace(total=3),
        ONE_OF_EACH._replace(barrier="prepare", extensions=1, total=2),
        ONE_OF_EACH._replace(rollouts=2),
        ONE_OF_EACH._replace(slow=True, total=2),
    ],
    ids=str,
)
def test_in_every_interleaving_of_more_faults_and_of_two_rollouts(bounds: Bounds) -> None:
    assert explore(bounds).visits > 20_000


DEFECTS: list[tuple[type[Rules], Bounds]] = [
    (NodeDecides, Bounds(cuts=1)),
    (ResumesAfterVote, Bounds(cuts=1)),
    (TimesOutAlone, Bounds(cuts=1)),
    (CountsEarlierRollout, Bounds(rollouts=2, delays=1)),
    (CountsTwice, Bounds()),
    (ServesAtOnce, Bounds(crashes=1)),
    (NoDigest, Bounds(other_contents=1)),
    (ResumesEarly, Bounds()),
]


def find(defect: Rules, bounds: Bounds, reductions: Reductions) -> None:
    with pytest.raises(Violated, match=r"J[1-4]: ") as violation:
        Explorer(bounds, defect, reductions).run()
    print(f"\n{type(defect).__name__}: {violation.value}")  # noqa: T201 (as above)


@pytest.mark.parametrize(("defect", "bounds"), DEFECTS)
def test_a_planted_defect_is_found(defect: type[Rules], bounds: Bounds) -> None:
    find(defect(), bounds, ALL)
    explore(bounds)


ONE_REDUCTION = [NOTHING._replace(**{name: True}) for name in NOTHING._fields]


@pytest.mark.slow
@pytest.mark.parametrize("reductions", [NOTHING, *ONE_REDUCTION], ids=str)
@pytest.mark.parametrize(("defect", "bounds"), [each for each in DEFECTS if each[1].rollouts == 1])
def test_a_planted_defect_is_found_with_each_reduction_alone(
    defect: type[Rules], bounds: Bounds, reductions: Reductions
) -> None:
    find(defect(), bounds, reductions)


def same_results(bounds: Bounds) -> None:
    expected = explore(bounds, NOTHING)
    for reductions in (*ONE_REDUCTION, ALL):
        reduced = explore(bounds, reductions)
        assert reduced.results() == expected.results()
    assert reduced.visits * 2 < expected.visits


def test_what_is_left_out_changes_no_result() -> None:
    same_results(Bounds())


@pytest.mark.slow
@pytest.mark.parametrize(
    "bounds",
    [
        ONE_OF_EACH,
        ONE_OF_EACH._replace(barrier="prepare"),
        Bounds(extensions=1),
        Bounds(rollouts=2),
        Bounds(crashes=1, cuts=1, evictions=1, total=2),
    ],
    ids=str,
)
def test_what_is_left_out_changes_no_result_of_faults(bounds: Bounds) -> None:
    same_results(bounds)


def test_the_events_of_other_nodes_are_without_effect() -> None:
    """So they are left out of what a node has to read."""
    states = explore(Bounds(crashes=1, cuts=1)).alike.states.values[1:]
    assert len(states) > 20
    for state in states:
        assert state is not None
        vote = VoteRecorded(
            rollout=state.rollout,
            phase=state.phase or "load",
            changes=state.changes,
            node="other",
            epoch=state.epoch,
            accepted=True,
        )
        joined = NodeJoined(
            node="other",
            instance=state.instance,
            epoch=state.epoch,
            address="",
            services=(),
            version="",
            revision=1,
        )
        for event in (vote, joined, NodeLeft(node="other", epoch=state.epoch, reason="left")):
            assert read_event(state, event) == Transition(state)


def test_steps_without_end_are_found() -> None:
    endings = Endings()
    for source, targets in enumerate([[1, 3], [2], [1, 3], []]):
        endings.note(source, targets)
    assert endings.endless(4) == {0, 1, 2}
    assert Endings().endless(4) == set()
