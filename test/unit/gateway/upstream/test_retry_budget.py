"""The retry budget: a fifth of the requests, and a minimum for single requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.pool import RetryBudget, RetryShare

SHARE = RetryShare(ratio=0.2, floor=3, window_s=10)


def spent(budget: RetryBudget, now: float, wished: int = 1000) -> int:
    return sum(budget.spend(now) for _ in range(wished))


def test_a_single_request_may_be_retried_within_the_minimum() -> None:
    budget = RetryBudget(SHARE)
    budget.asked(0.0)
    assert spent(budget, 0.0) == 3


def test_a_fifth_of_the_requests_may_be_retried() -> None:
    budget = RetryBudget(SHARE)
    for _ in range(100):
        budget.asked(0.0)
    assert spent(budget, 0.0) == 23
    assert budget.refused == 977


@pytest.mark.parametrize(("later", "expected"), [(9.9, 0), (10.0, 3), (1e6, 3)])
def test_requests_older_than_the_window_are_not_counted(later: float, expected: int) -> None:
    budget = RetryBudget(SHARE)
    for _ in range(100):
        budget.asked(0.0)
    spent(budget, 0.0)
    assert spent(budget, later) == expected


def test_a_clock_that_goes_back_does_not_reduce_the_budget() -> None:
    budget = RetryBudget(SHARE)
    budget.asked(20.0)
    assert spent(budget, 5.0) == 3
    assert spent(budget, 20.0) == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 40), st.integers(0, 40))))
def test_no_retry_is_granted_beyond_the_share_of_the_window(
    steps: list[tuple[float, int, int]],
) -> None:
    budget, now = RetryBudget(SHARE), 0.0
    asked: list[float] = []
    retried: list[float] = []
    for pause, requests, retries in steps:
        now += pause
        for _ in range(requests):
            budget.asked(now)
            asked.append(now)
        granted = spent(budget, now, retries)
        retried += [now] * granted
        inside = [when for when in asked if int(when) > int(now) - SHARE.window_s]
        extra = [when for when in retried if int(when) > int(now) - SHARE.window_s]
        assert len(extra) <= SHARE.floor + SHARE.ratio * len(inside) or not granted
