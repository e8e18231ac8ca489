"""Figures of several runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Spread, latencies, percentile, short, spread, together

VALUES = st.lists(st.floats(0, 1e6), min_size=1)


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1), (0.5, 1)])
def test_a_percentile_is_the_value_that_this_share_does_not_exceed(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == value


@given(VALUES)
def test_a_high_percentile_is_one_of_the_values_and_at_least_the_median(values: list[float]) -> None:
    assert percentile(values, 99) in values
    assert percentile(values, 50) <= percentile(values, 99)


def test_latencies_are_in_milliseconds() -> None:
    assert latencies([0.001, 0.002, 0.003]) == {"p50_ms": 2.0, "p99_ms": 3.0}


def test_a_spread_has_every_run_in_its_order() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(median=2.0, min=1.0, max=3.0, runs=[3.0, 1.0, 2.0])


@given(VALUES)
def test_the_median_lies_between_the_least_and_the_most(values: list[float]) -> None:
    found = spread(values)
    assert found.min <= found.median <= found.max


def test_every_figure_of_every_group_is_spread() -> None:
    found = together([{"one": {"per_s": 1.0}}, {"one": {"per_s": 3.0}}])
    assert found == {"one": {"per_s": spread([1.0, 3.0])}}


@pytest.mark.parametrize(
    ("value", "shown"), [(12345.678, 12346.0), (999.96, 1000.0), (1.23456, 1.235), (0.000123456, 0.0001235)]
)
def test_insignificant_digits_are_left_out(value: float, shown: float) -> None:
    assert short(value) == shown
