"""Which faults in rollouts a run of all tests does, and how it finds an answer from an earlier revision."""

from itertools import chain

import pytest
from support.rollout_cases import CASES, COUNT, chosen, commit, headline, numbers
from support.rollout_system import SeenRevision, check_revisions


def test_a_commit_chooses_twelve_cases_with_its_remainder_by_three() -> None:
    for value in range(300):
        ours = chosen(len(CASES), f"{value:040x}")
        assert len(ours) == COUNT
        assert {number % 3 for number in ours} == {value % 3}


def test_the_commits_together_choose_every_case() -> None:
    every = chain.from_iterable(chosen(len(CASES), f"{value:x}") for value in range(30))
    assert set(every) == set(range(len(CASES)))


def test_each_choice_has_kills_and_cuts() -> None:
    for value in range(30):
        faults = {CASES[number].fault for number in chosen(len(CASES), f"{value:x}")}
        assert {"kill", "cut"} <= faults


def test_the_same_commit_chooses_the_same_cases_and_they_are_named() -> None:
    assert numbers() == chosen(len(CASES), commit())
    assert all(CASES[number].name in headline() for number in numbers())


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_check_of_a_history_finds_an_answer_from_an_earlier_revision() -> None:
    fine = [SeenRevision(0, 1, "a", 1), SeenRevision(0.5, 3, "b", 2), SeenRevision(2, 4, "a", 1)]
    check_revisions(fine)
    with pytest.raises(AssertionError):
        check_revisions([*fine, SeenRevision(3.5, 5, "a", 1)])
