"""Kills a shop on the embedded log while orders are bought, and counts what it has left."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from support.process import ROOT
from support.program import Program
from support.shop_folder import PRICE, ShopFolder, opened_credit, placed, product, rush
from support.until import until

from bookshelf.shop.values import OrderLine

#: Runs that are enough for every append to be hit.
_MOST = 120
_CARD = {"number": "4242424242424242", "holder": "Ann", "expiry": "12/30", "cvc": "123"}


class ShopRound(NamedTuple):
    """What was placed for one unit, and killed; orders that came to no rest, units sold beyond that one.

    `ready_s`: seconds of the last run until everything was at rest.
    """

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    ready_s: float


def token_of(folder: Path) -> str:
    """Return the token of a card that pays, valid for 15 minutes, of a shop that then ends."""
    with Program(folder).ready() as up:
        answer = up.client.post("/shop/cards", _CARD)
        assert answer.status == 201, answer
        assert up.stop().well
    return str(answer.json["token"])


def buy_around_kills(folder: Path, point: str, *, by_card: bool) -> ShopRound:
    """Have two orders for one unit placed, and the program killed -9 around each of its appends."""
    shop, orders = ShopFolder(folder), 2
    terms = {"pay": "card", "card": token_of(folder)} if by_card else {}
    line = OrderLine("p-1", 1, PRICE)
    wishes = [placed(number, "a-1", line, **terms) for number in range(orders)]
    shop.send([product("p-1", 1), opened_credit("a-1"), *wishes])
    kills = 0
    while _run_until_killed(shop, orders, point):
        kills += 1
        assert kills < _MOST
    return _counted(shop, kills, orders)


def _run_until_killed(shop: ShopFolder, orders: int, point: str) -> bool:
    """Run the program until it kills itself; return False if it has nothing left to do."""
    paths = {"PYTHONPATH": f"{ROOT / 'test'}:{ROOT}"}
    with Program(shop.data, program=f"support.shop_kills {point}", env=paths) as up:
        until(lambda: not up.alive or shop.at_rest_again(orders), "it is killed, or at rest")
        alive = up.alive
        code = up.kill().code
    assert code == -signal.SIGKILL
    return not alive


def rush_through_kills(folder: Path, customers: int, random: Random) -> ShopRound:
    """Have so many customers want one unit, and the program killed -9 at five moments."""
    shop, kills = ShopFolder(folder), 5
    shop.send([product("p-1", 1), *rush(customers, "p-1")])
    shop.kill_at_random(random, kills, 50)  # an order is 8 records, often of many at once
    counted = _counted(shop, kills, customers)
    laws = shop.checked("--at-rest")
    assert laws[3]["log"]["balance"] == customers * 10_000 - PRICE.amount
    return counted


def _counted(shop: ShopFolder, kills: int, orders: int) -> ShopRound:
    ready_s = _timed(lambda: shop.go_on(orders))
    laws: Any = shop.checked("--at-rest")
    ends = laws[6]["log"]
    lost = orders - ends["final"] - ends["canceled"]
    return ShopRound(kills, orders, lost, abs(ends["final"] - 1), ready_s)


def _timed(run: Callable[[], None]) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began
