"""Which keys no one can have seen before, so that nothing is looked up for them."""

from datetime import timedelta

import pytest
from multidict import CIMultiDict
from support.ports import NOW, FixedClock

from bookshelf.runtime.clock import SystemIds
from bookshelf.runtime.edge.conditions import TRY, first_try

MADE = SystemIds(FixedClock()).new()
FIRST = CIMultiDict({TRY: "1"})


@pytest.mark.parametrize("seconds", [0, 1, -1])
def test_the_gateway_s_own_at_its_first_try(seconds: float) -> None:
    assert first_try(FIRST, MADE, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("tries", ["2", "0", "", "11", None])
def test_none_that_was_sent_before(tries: str | None) -> None:
    headers = CIMultiDict({} if tries is None else {TRY: tries})
    assert not first_try(headers, MADE, NOW)


@pytest.mark.parametrize("seconds", [-3600, -3, 3, 3600])
def test_none_that_was_held_up_on_its_way(seconds: float) -> None:
    assert not first_try(FIRST, MADE, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "key",
    ["", "mine", MADE.upper() + "x", MADE.replace("-7", "-4", 1), MADE[:-1]],
    ids=["empty", "short", "longer", "of another version", "cut"],
)
def test_none_that_a_client_has_made_up(key: str) -> None:
    assert not first_try(FIRST, key, NOW)
