"""Measures the shop: orders that become final a second, and how long one takes; then recounts the laws."""

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from bench.baseline import DURABLE, protean
from bench.connection import connect
from bench.figures import latencies
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.memory import resident
from bench.server import Server, server
from bench.shop.customers import CUSTOMERS, Customers, issued
from bench.shop.ends import Ends, checked, rest
from bench.shop.goods import POOR, add_product, orders_of, prepare, supplies
from bench.shop.load import CLIENTS, PRODUCTS, RATE, Shoppers
from bench.shop.open_orders import EACH, FEW, growth
from bench.shop.rush import rush

#: Orders by topic, and of one product with fewer units.
ORDERS, UNITS = 5000, 1000
_SCARCE = "p-scarce"
_FACTS = {
    "by topic": f"orders of {CUSTOMERS} customers for one of {PRODUCTS} products wait in their topic; "
    "from the first that is placed to the last that is final",
    "http": f"POST /shop/orders from {CLIENTS} clients through the gateway, with the tokens of "
    f"{CUSTOMERS} customers in turn, for {PRODUCTS} products; from the first POST until the last order is "
    "final",
    "one product": "the same of one product with fewer units than orders; `oversold` must be 0",
    "final": f"{RATE} orders a second, from the POST until the order's stream of events has FINALIZED",
    "final, answer": "the same, until the POST with Prefer: wait is answered",
    "sold out, no credit": "as `final`, of a product that is sold out, and of a customer without "
    "credit: CANCELED",
    "few open, many open": f"as `http` and `final`, while {FEW}, and {EACH} times as many as all orders of "
    "this run, wait for an answer about their cards; ready_s: until the views were rebuilt from the log",
    "cpu_ms": "processor time of the whole `bookshelf up` for each order, until the log is at rest",
    "laws": "after each part `bookshelf shop check` has found every law to hold",
}


async def _by_topic(folder: Path, orders: int) -> Figures:
    waiting = orders_of(CUSTOMERS, PRODUCTS, orders)
    await prepare(folder, [*supplies(PRODUCTS, CUSTOMERS), *waiting])
    async with server(folder, "shop"):
        ends = Ends(folder)
        await ends.until(orders)
        await rest(folder)
    await checked("--data", str(folder), "--at-rest")
    final = ends.status["order-finalized"]
    if final != orders:
        msg = f"{final} of {orders} orders are final"
        raise BenchFault(msg)
    taken_s = (ends.last("order-finalized") - min(ends.placed)).total_seconds()
    return {"by topic": {"per_s": orders / taken_s}}


async def _by_http(folder: Path, orders: int, seconds: float) -> tuple[Figures, Mapping[str, Any]]:
    scarce = min(UNITS, orders)
    customers, settings = issued(folder.parent)
    await prepare(folder, [*supplies(PRODUCTS, CUSTOMERS), add_product(_SCARCE, scarce)])
    async with server(folder, "shop", **settings) as running:
        shoppers = Shoppers(customers, running.gateway, count())
        await shoppers.streams(0.5, "FINALIZED")  # warm
        figures, sold = await _rushes(folder, running, shoppers, orders, scarce)
        figures |= await _latencies(shoppers, seconds)
        await _listed(running, customers)
        await rest(folder)
        figures["memory"] = resident(running.pid)
    await checked("--data", str(folder), "--at-rest")
    if sold != scarce:
        msg = f"{sold} orders of {scarce} units are final"
        raise BenchFault(msg)
    return figures, {"sold": sold}


async def _rushes(
    folder: Path, running: Server, shoppers: Shoppers, orders: int, scarce: int
) -> tuple[Figures, int]:
    """Return the figures of orders for all products and for one, and how many got a unit of that."""
    everything, _ = await rush(folder, running, shoppers, orders)
    one, sold = await rush(folder, running, shoppers, scarce + scarce // 5, _SCARCE)
    return {"http": everything, "one product": {**one, "oversold": sold - scarce}}, sold


async def _latencies(shoppers: Shoppers, seconds: float) -> Figures:
    return {
        "final": latencies(await shoppers.streams(seconds, "FINALIZED")),
        "final, answer": latencies(await shoppers.answers(seconds, "FINALIZED")),
        "sold out": latencies(await shoppers.streams(seconds, "CANCELED", product=_SCARCE)),
        "no credit": latencies(await shoppers.streams(seconds, "CANCELED", customer=POOR)),
    }


async def _listed(running: Server, customers: Customers) -> None:
    async with connect(running.gateway) as own:
        await own.ask(customers.get("a-0", "/shop/orders?limit=1"), 200)


async def _run(plan: Plan, folder: Path) -> Sample:
    orders = plan.count(ORDERS)
    figures = await _by_topic(folder / "topic", orders)
    more, counted = await _by_http(folder / "http", orders, plan.seconds)
    figures |= more | await growth(plan, folder, orders)
    facts: dict[str, Any] = {**_FACTS, "orders": orders, **counted, "load_1_min": os.getloadavg()[0]}
    for name, options in (("protean", ()), ("protean, durable", (DURABLE,))):
        theirs, of_them = await protean("protean_shop.py", plan.seconds, *options, name=name)
        figures |= theirs
        facts |= of_them
    return Sample(figures, facts)


SHOP = Measurement("shop", "orders of the shop, from the POST to the purchase", _run, large=True)
