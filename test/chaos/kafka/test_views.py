"""Views that are killed in the middle of their work, and beside another of their kind."""

import signal
import sys

import pytest
from chaos.kafka.trial import ROUNDS, Fault
from support.crash_at import POINTS
from support.fleet import VIEWS, Fleet
from support.until import until

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos, pytest.mark.slow]


@pytest.mark.parametrize("point", POINTS)
def test_a_view_is_killed_between_its_checkpoint_and(fleet: Fleet, fault: Fault, point: str) -> None:
    with fault(f"both views: kill -9 between their checkpoint and their {point}") as trial:
        for _ in range(ROUNDS):
            for service in VIEWS:
                fleet.retire(f"{service}-1")
            dying = [
                fleet.launch(service, 1, [sys.executable, "-m", "support.crash_at", point])
                for service in VIEWS
            ]
            for one in dying:
                one.ready()
            trial.under_load()
            for one in dying:
                one.send(signal.SIGUSR1)
            until(lambda: not any(one.alive for one in dying), "both have died in the middle")  # noqa: B023
            trial.over()
            fleet.whole()
            trial.recovered()


def test_one_of_two_views_is_killed(fleet: Fleet, fault: Fault) -> None:
    """No client notices: queries of the killed instance are sent to the other, whose rows are the same."""
    with fault("booklist: kill -9 of one of two") as trial:
        for number in range(ROUNDS):
            there, gone = 2 - number % 2, 1 + number % 2
            fleet.start("booklist", there) if f"booklist-{there}" not in fleet.members else None
            trial.under_load()
            fleet.members[f"booklist-{gone}"].kill()
            trial.over()
            trial.load.goes_on()
            trial.recovered()
            del fleet.members[f"booklist-{gone}"]
    assert (trial.load.failures, trial.load.unread) == ([], 0)
    fleet.whole()
