"""The shop under kill -9: at each append of an order, among 100 customers, while old orders are invoiced."""

import os
import signal
from pathlib import Path
from random import Random

import pytest
from support.process import ROOT
from support.program import Program
from support.shop_folder import PRICE, ShopFolder, opened_credit, placed, product, rush
from support.shop_kills import POINTS
from support.until import until

from bookshelf.shop.values import OrderLine

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

ROUNDS = int(os.environ.get("BOOKSHELF_CHAOS_ROUNDS", "5"))
RANDOM = Random(os.environ.get("BOOKSHELF_CHAOS_SEED", "20240229"))  # noqa: S311 (no secrets)
#: Runs that are enough for every append to be hit.
MOST = 60


def run_until_killed(shop: ShopFolder, orders: int, point: str) -> bool:
    """Run the program until it kills itself; return False if it has nothing left to do."""
    paths = {"PYTHONPATH": f"{ROOT / 'test'}:{ROOT}"}
    with Program(shop.data, program=f"support.shop_kills {point}", env=paths) as up:
        until(lambda: not up.alive or shop.at_rest_again(orders), "it is killed, or at rest")
        alive = up.alive
        code = up.kill().code
    assert code == -signal.SIGKILL
    return not alive


@pytest.mark.parametrize("point", POINTS)
def test_an_order_is_bought_once_whichever_append_is_killed(tmp_path: Path, point: str) -> None:
    shop = ShopFolder(tmp_path / "data")
    line = OrderLine("p-1", 1, PRICE)
    shop.send([product("p-1", 1), opened_credit("a-1"), placed(1, "a-1", line), placed(2, "a-1", line)])
    kills = 0
    while run_until_killed(shop, 2, point):
        kills += 1
        assert kills < MOST
    assert kills >= 9, kills
    shop.go_on(2)
    laws = shop.checked("--at-rest")
    ends = {key: laws[6]["log"][key] for key in ("final", "canceled")}
    assert ends == {"final": 1, "canceled": 1}


def test_one_of_a_hundred_customers_gets_the_last_unit(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        shop = ShopFolder(tmp_path / f"data-{number}")
        shop.send([product("p-1", 1), *rush(100, "p-1")])
        shop.kill_at_random(RANDOM, 5, 50)  # an order is 8 records, often of many at once
        shop.go_on(100)
        laws = shop.checked("--at-rest")
        assert laws[6]["log"] == {"orders": 100, "final": 1, "canceled": 99, "open": 0}
        assert laws[3]["log"]["balance"] == 100 * 10_000 - PRICE.amount


def test_ten_thousand_old_orders_are_invoiced_by_accounting_that_is_killed(tmp_path: Path) -> None:
    shop, orders = ShopFolder(tmp_path / "data"), 10_000
    line = OrderLine("p-1", 1, PRICE)
    shop.send([product("p-1", orders), opened_credit("a-1", orders * PRICE.amount)])
    shop.send(placed(number, "a-1", line) for number in range(orders))
    others = ("products", "customers", "orders", "payments")
    shop.run_until_final(orders, *others, deadline_s=900)
    shop.kill_at_random(RANDOM, 5, 3000)
    shop.go_on(orders, deadline_s=900)
    laws = shop.checked("--at-rest")
    assert laws[4]["log"] == laws[4]["rows"] == {"final": orders, "invoices": orders}
    assert laws[5]["log"] == {"series": 1, "numbers": orders}


def test_processes_whose_offsets_are_lost_change_nothing(tmp_path: Path) -> None:
    shop, orders = ShopFolder(tmp_path / "data"), 200
    line = OrderLine("p-1", 1, PRICE)
    shop.send([product("p-1", orders // 2), opened_credit("a-1", orders * PRICE.amount)])
    shop.send(placed(number, "a-1", line) for number in range(orders))
    shop.kill_at_random(RANDOM, 2, 900)
    shop.go_on(orders)
    size = shop.size()
    shop.forget("ordering", "invoicing")
    with Program(shop.data).ready() as up:
        caught_up = [lambda name=name: shop.consumed(name) >= size - 10 for name in ("ordering", "invoicing")]
        for reads_again in caught_up:
            until(reads_again, "everything is read again")
        assert up.stop().well
    assert shop.size() == size
    shop.checked("--at-rest")
