"""The shop on the embedded log is killed -9 around each append of its orders, and among 100 customers."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from chaos.kafka.result_table import Row, row_of
from chaos.kafka.trial import ROUNDS, seeded_random
from chaos.shop_rounds import ShopRound, buy_around_kills, rush_through_kills
from support.shop_kills import POINTS

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
#: The appends of an order, without those of its payment.
APPENDS = 9


def _row(fault: str, rounds: Sequence[ShopRound]) -> Row:
    row = row_of(fault, rounds)._replace(rounds=sum(one.kills for one in rounds))
    assert (row.lost, row.doubled) == (0, 0), row
    return row


@pytest.mark.parametrize("pay", ["credit", "card"])
def test_an_order_is_bought_once_whichever_append_is_killed(
    tmp_path: Path, table: list[Row], pay: str
) -> None:
    rounds = [buy_around_kills(tmp_path / point, point, by_card=pay == "card") for point in POINTS]
    assert all(one.kills >= APPENDS for one in rounds), rounds
    table.append(_row(f"kill -9 before and after each append of two orders for one unit, by {pay}", rounds))


def test_one_of_a_hundred_customers_gets_the_last_unit(tmp_path: Path, table: list[Row]) -> None:
    random = seeded_random("rush")
    rounds = [rush_through_kills(tmp_path / str(number), 100, random) for number in range(ROUNDS)]
    table.append(_row("100 customers want one unit, kill -9 at random", rounds))
