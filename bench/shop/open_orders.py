"""Measures orders while others are open: with a few and with many of them, all else being equal.

The open ones are written into the log as they are after their first step: each is placed, and its unit is
held, but the answer about its card never comes. The processes begin after them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import msgspec

from bench.figures import latencies
from bench.measurement import Figures, Plan
from bench.memory import resident
from bench.server import server
from bench.shop.customers import CUSTOMERS, issued
from bench.shop.ends import checked, rest
from bench.shop.goods import PRICE, prepare, supplies
from bench.shop.load import PRODUCTS, Shoppers
from bench.shop.rush import rush
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.log.port import Consumed, NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.shop.events import TOPIC, StockReserved
from bookshelf.shop.invoicing import Seller, invoicing
from bookshelf.shop.order_events import OrderPlaced, StockAnswered, Terms
from bookshelf.shop.ordering import ordering
from bookshelf.shop.values import BoughtLine, OrderLine

#: Open orders of the smaller shop; and how many the larger one has for each order that is measured.
FEW, EACH = 10, 20
#: The share of the orders that are measured with each.
_SHARE = 5
_BATCH = 3000
_NAME = "A thing"
_VAT = 70


def open_order(number: int, at: datetime) -> Iterator[NewRecord]:
    """Yield the records of an order that waits for the answer about its card."""
    order, product = f"o-open-{number}", f"p-{number % PRODUCTS}"
    line = OrderLine(product, 1, PRICE)
    bought = BoughtLine(product=product, quantity=1, name=_NAME, price=PRICE, vat_permille=_VAT)
    terms = Terms(customer=f"a-{number % CUSTOMERS}", pay="card", card="token")
    placed = OrderPlaced(terms=terms, lines=(line,), total=PRICE, at=at)
    held = StockReserved(order=order, quantity=1, price=PRICE, name=_NAME, vat_permille=_VAT)
    answered = StockAnswered(product=product, line=bought)
    events = ((order, placed), (product, held), (order, answered))
    for step, (subject, event) in enumerate(events):
        envelope = Envelope(
            specversion="1.0",
            datacontenttype="application/json",
            id=str(UUID(int=number << 80 | step)),
            source="bench",
            type=event.TYPE,
            subject=subject,
            time=at,
            data=msgspec.Raw(msgspec.json.encode(event)),
            actor="reader",
            correlationid=order,
        )
        yield NewRecord(subject, encode_envelope(envelope))


async def _opened(folder: Path, orders: int) -> None:
    """Supply a shop by its own services, then append so many open orders."""
    await _supplied(folder)
    at = datetime.now(UTC) + timedelta(hours=1)
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    try:
        writer = await log.writer("bench", TOPIC, 0)
        waiting = (record for number in range(orders) for record in open_order(number, at))
        while batch := list(islice(waiting, _BATCH)):
            await writer.append(batch)
        end = await log.end(TOPIC, 0)
        for process in (ordering(PRICE.currency), invoicing(Seller("Bookshelf"))):
            moved = await log.writer(process.name, process.dead_letters, 0)
            await moved.append([], Consumed(TOPIC, 0, end))
    finally:
        await log.close()


async def _supplied(folder: Path) -> None:
    await prepare(folder, supplies(PRODUCTS, CUSTOMERS))
    async with server(folder, "products", "customers"):
        await rest(folder)


async def _measured(folder: Path, orders: int, seconds: float) -> dict[str, float]:
    """Return rate, latencies and memory with the orders that are open in a folder."""
    customers, settings = issued(folder)
    async with server(folder, "shop", **settings) as running:
        shoppers = Shoppers(customers, running.gateway)
        await shoppers.ready()  # its views have read the log
        await shoppers.streams(seconds, "FINALIZED")  # warm
        figures, _ = await rush(folder, running, shoppers, orders)
        figures |= latencies(await shoppers.streams(seconds, "FINALIZED"))
        await rest(folder)
        figures |= {"ready_s": running.ready_s, **resident(running.pid)}
    await checked("--data", str(folder))
    return figures


async def growth(plan: Plan, folder: Path, orders: int) -> Figures:
    """Return the figures with few and with many open orders, and how many times the former the latter are."""
    figures: Figures = {}
    for name, open_ones in (("few open", FEW), ("many open", EACH * orders)):
        await _opened(folder / name.split()[0], open_ones)
        measured = max(1, orders // _SHARE)
        figures[name] = await _measured(folder / name.split()[0], measured, plan.seconds)
    few, many = figures["few open"], figures["many open"]
    figures["many / few"] = {name: many[name] / few[name] for name in ("per_s", "cpu_ms", "p50_ms", "p99_ms")}
    return figures
