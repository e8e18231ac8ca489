"""Every interleaving of rollouts on three nodes, within bounds: J1 to J4 hold, and planted defects are found.

`make explore` explores further. Counts are printed: run it with `-s`.
"""

import pytest
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
from support.exploration_steps import Violated
from support.explorer import Explorer
from support.situations import Bounds

ONE_OF_EACH = Bounds(
    crashes=1, cuts=1, evictions=1, departures=1, delays=1, failures=1, other_contents=1, total=1
)
#: What an exploration has to come to, so that it has explored what it is for.
OUTCOMES = {"RevisionCommitted", "RolloutAborted", "RolloutRolledBack", "at rest"}


def explore(bounds: Bounds) -> int:
    explorer = Explorer(bounds)
    number = explorer.run()
    print(f"\n{bounds}: {number} situations; {dict(explorer.counts)}")  # noqa: T201 (asked for with `-s`)
    assert explorer.counts.keys() >= OUTCOMES
    return number


@pytest.mark.parametrize(
    "bounds",
    [
        ONE_OF_EACH,
        Bounds(crashes=1, cuts=1, evictions=1, departures=1, extensions=1, total=1, barrier="prepare"),
        Bounds(crashes=1, cuts=1, evictions=1, total=2),
        Bounds(cuts=1, failures=1, other_contents=1, total=2),
    ],
    ids=str,
)
def test_in_every_interleaving_a_rollout_ends_once_and_alike(bounds: Bounds) -> None:
    assert explore(bounds) > 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    "bounds",
    [
        ONE_OF_EACH._replace(total=2),
        ONE_OF_EACH._replace(total=3),
        ONE_OF_EACH._replace(barrier="prepare", extensions=1),
        ONE_OF_EACH._replace(barrier="prepare", total=2),
        Bounds(crashes=1, cuts=1, evictions=1, departures=1, barrier="prepare", total=4),
        ONE_OF_EACH._replace(rollouts=2),
        Bounds(rollouts=2, crashes=1, cuts=1, evictions=1, total=2),
    ],
    ids=str,
)
def test_in_every_interleaving_of_more_faults_and_of_two_rollouts(bounds: Bounds) -> None:
    assert explore(bounds) > 20_000


@pytest.mark.parametrize(
    ("defect", "bounds"),
    [
        (NodeDecides, Bounds(cuts=1)),
        (ResumesAfterVote, Bounds(cuts=1)),
        (TimesOutAlone, Bounds(cuts=1)),
        (CountsEarlierRollout, Bounds(rollouts=2, delays=1)),
        (CountsTwice, Bounds()),
        (ServesAtOnce, Bounds(crashes=1)),
        (NoDigest, Bounds(other_contents=1)),
        (ResumesEarly, Bounds()),
    ],
)
def test_a_planted_defect_is_found(defect: type[Rules], bounds: Bounds) -> None:
    explorer = Explorer(bounds, defect())
    with pytest.raises(Violated, match=r"J[1-4]: ") as violation:
        explorer.run()
    print(f"\n{defect.__name__}: {violation.value}")  # noqa: T201 (as above)
    explore(bounds)
