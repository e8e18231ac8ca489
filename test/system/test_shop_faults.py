"""The shop after kills, after a loss of offsets, and with accounting that begins late: every law holds."""

from pathlib import Path
from random import Random

from support.shop_folder import PRICE, ShopFolder, opened_credit, placed, product, rush

from bookshelf.shop.values import OrderLine

RANDOM = Random(20261127)  # noqa: S311 (no secrets)


def test_one_of_a_hundred_customers_gets_the_last_unit_whatever_is_killed(tmp_path: Path) -> None:
    shop = ShopFolder(tmp_path / "data")
    shop.send([product("p-1", 1), *rush(100, "p-1")])
    shop.kill_at_random(RANDOM, 1, 400)
    shop.go_on(100)
    laws = shop.checked("--at-rest")
    assert laws[6]["log"] == {"orders": 100, "final": 1, "canceled": 99, "open": 0}
    assert laws[7]["log"]["reasons"] == 99
    assert laws[3]["log"]["balance"] == 100 * 10_000 - PRICE.amount
    ledger = shop.ledger()
    assert {reason.code for order in ledger.orders.values() for reason in order.reasons} == {"out-of-stock"}
    size = shop.size()
    shop.forget("ordering")  # everything is read again
    shop.send([placed(100, "a-1", OrderLine("p-1", 1, PRICE))])
    shop.go_on(101)
    assert shop.consumed("ordering") > size
    assert shop.size() - size == 7  # of the new order alone: placed, answered and refused, its hold released
    shop.checked("--at-rest")


def test_accounting_that_begins_late_writes_every_invoice(tmp_path: Path) -> None:
    shop, orders = ShopFolder(tmp_path / "data"), 500
    line = OrderLine("p-1", 1, PRICE)
    shop.send([product("p-1", orders), opened_credit("a-1", orders * PRICE.amount)])
    shop.send(placed(number, "a-1", line) for number in range(orders))
    others = ("products", "customers", "orders", "payments")
    shop.run_until_final(orders, *others)
    assert shop.ledger().series.total() == 0
    shop.kill_at_random(RANDOM, 1, orders)
    shop.go_on(orders)
    laws = shop.checked("--at-rest")
    assert laws[4]["log"] == laws[4]["rows"] == {"final": orders, "invoices": orders}
    assert laws[5]["log"] == {"series": 1, "numbers": orders}
