"""The shop under kill -9 while old orders are invoiced, and after its offsets are lost."""

import os
from pathlib import Path
from random import Random

import pytest
from support.program import Program
from support.shop_folder import PRICE, ShopFolder, opened_credit, placed, product
from support.until import until

from bookshelf.shop.values import OrderLine

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

RANDOM = Random(os.environ.get("BOOKSHELF_CHAOS_SEED", "20240229"))  # noqa: S311 (no secrets)


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
