"""Measures the shop: orders that become final a second, and how long one takes; then recounts the laws."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from bench.connection import LoadConnection, connect
from bench.figures import latencies
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.processes import protean
from bench.server import Server, server
from bench.wire import get, post
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.message import Command
from bookshelf.log.port import NewRecord
from bookshelf.log.sqlite.log import ReadOnlySqliteLog, SqliteLog
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import OrderCanceled, OrderFinalized, OrderPlaced, Terms
from bookshelf.shop.product import PRODUCT, AddProduct
from bookshelf.shop.values import OrderLine, ProductDetails

#: Orders by topic, of so many customers, for so many products.
ORDERS, CUSTOMERS, PRODUCTS = 5000, 1000, 500
#: Units of the one product, and clients of HTTP.
UNITS, CLIENTS = 1000, 64
#: Orders a second while latencies are measured.
RATE = 20
_RICH = Money(10**9, "EUR")
_PRICE = Money(100, "EUR")
_READER = "a-reader"
_TOPIC = "shop"
_DEADLINE_S = 600
_PAUSE_S = 0.02
_FACTS = {
    "by topic": f"orders of {CUSTOMERS} customers for one of {PRODUCTS} products wait in their topic; "
    "from the first that is placed to the last that is final",
    "http": f"POST /shop/orders from {CLIENTS} clients at the service's port, all of the local reader; from "
    "the first POST until the last order is final",
    "one product": "the same of one product with fewer units than orders; `oversold` must be 0",
    "final": f"{RATE} orders a second, from the POST with Prefer: wait to the answer: FINALIZED",
    "canceled": "the same of a product that is sold out, to the answer: CANCELED",
    "laws": "after each part `bookshelf shop check --at-rest` has found every law to hold",
}


def _message(to: Aggregate[Any], subject: str, command: Command, made: str) -> NewRecord:
    at = datetime.now(UTC)
    return command_message(to, command, id=made, source="bench", subject=subject, time=at)


async def _prepare(folder: Path, messages: list[NewRecord]) -> None:
    """Write a log that has these commands, in a folder that is there."""
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    try:
        writer = await log.writer("bench", _TOPIC, 0)
        for first in range(0, len(messages), 1000):
            await writer.append(messages[first : first + 1000])
    finally:
        await log.close()


def _goods(products: int, units: int) -> list[NewRecord]:
    details = ProductDetails(name="A thing", vat_permille=70)
    add = AddProduct(details=details, price=_PRICE, units=units)
    return [_message(PRODUCT, f"p-{number}", add, f"product-{number}") for number in range(products)]


def _credit(customer: str) -> NewRecord:
    return _message(CREDIT, customer, OpenCredit(amount=_RICH), f"credit-{customer}")


class _Ends:
    """The times of the orders in a log that grows."""

    def __init__(self, folder: Path) -> None:
        self._log = ReadOnlySqliteLog(folder / "log.sqlite")
        self._offset = 0
        self.placed: list[datetime] = []
        self.ended: dict[str, tuple[str, datetime]] = {}

    @property
    def status(self) -> Counter[str]:
        """How many orders have ended so."""
        return Counter(kind for kind, _ in self.ended.values())

    async def until(self, orders: int) -> None:
        """Return once so many orders have ended."""
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                await self._read()
                if len(self.ended) >= orders:
                    break
                await asyncio.sleep(_PAUSE_S)
        await self._log.close()

    async def _read(self) -> None:
        end = await self._log.end(_TOPIC, 0)
        tail = await self._log.tail(_TOPIC, 0, self._offset)
        while tail.position < end:
            for record in await tail.take(1000):
                envelope = decode_envelope(record.value)
                if envelope.type == OrderPlaced.TYPE:
                    self.placed.append(envelope.time)
                elif envelope.type in {OrderFinalized.TYPE, OrderCanceled.TYPE}:
                    self.ended[record.key] = (envelope.type.split(".")[1], envelope.time)
        self._offset = end
        await tail.close()


async def _checked(folder: Path) -> None:
    """Return if every law of the shop holds. Raises `BenchFault`."""
    command = (
        sys.executable,
        "-m",
        "bookshelf",
        "shop",
        "check",
        "--data",
        str(folder),
        "--at-rest",
        "--json",
    )
    program = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
    output, _ = await program.communicate()
    if program.returncode:
        described = [text for law in json.loads(output)["laws"] for text in law["described"]]
        msg = f"a law of the shop does not hold: {described[:3]}"
        raise BenchFault(msg)


async def _by_topic(folder: Path, orders: int) -> Figures:
    messages = [*_goods(PRODUCTS, orders), *(_credit(f"a-{number}") for number in range(CUSTOMERS))]
    at = datetime.now(UTC) + timedelta(hours=1)  # begins the deadline: all of them wait at once
    for number in range(orders):
        line = OrderLine(f"p-{number % PRODUCTS}", 1, _PRICE)
        place = PlaceOrder(terms=Terms(customer=f"a-{number % CUSTOMERS}"), lines=(line,), at=at)
        messages.append(_message(ORDER, f"o-{number}", place, f"order-{number}"))
    await _prepare(folder, messages)
    async with server(folder, "shop"):
        ends = _Ends(folder)
        await ends.until(orders)
        await _rest(folder)
    await _checked(folder)
    final = ends.status["order-finalized"]
    if final != orders:
        msg = f"{final} of {orders} orders are final"
        raise BenchFault(msg)
    last = max(when for _, when in ends.ended.values())
    return {"by topic": {"per_s": orders / (last - min(ends.placed)).total_seconds()}}


async def _rest(folder: Path) -> None:
    """Return once the log has not grown for a while: holds are released and invoices written."""
    log, size = ReadOnlySqliteLog(folder / "log.sqlite"), -1
    while (now := await log.end(_TOPIC, 0)) != size:
        size = now
        await asyncio.sleep(0.5)
    await log.close()


def _order(number: int, product: str, **headers: str) -> bytes:
    line = {"product": product, "quantity": 1, "price": {"amount": _PRICE.amount, "currency": "EUR"}}
    body = {"lines": [line], "pay": "credit"}
    return post("/shop/orders", body, Idempotency_Key=f"order-{number}", **headers)


async def _rush(running: Server, product: str, numbers: "count[int]", orders: int) -> float:
    """Place so many orders from all clients; return the seconds."""
    left, began = iter(range(orders)), time.perf_counter()

    async def client() -> None:
        async with connect(running.services["orders"]) as own:
            for _ in left:
                await own.ask(_order(next(numbers), product), 201)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(client())
    return time.perf_counter() - began


async def _by_http(folder: Path, orders: int, seconds: float) -> tuple[Figures, Mapping[str, Any]]:
    figures: Figures = {}
    scarce = min(UNITS, orders)
    details = ProductDetails(name="Scarce", vat_permille=70)
    add = AddProduct(details=details, price=_PRICE, units=scarce)
    goods = [*_goods(2, 10**9), _message(PRODUCT, "p-scarce", add, "product-scarce"), _credit(_READER)]
    await _prepare(folder, goods)
    numbers, wanted = count(), orders + scarce + scarce // 5
    async with server(folder, "shop", ACCOUNTS="off") as running:
        began = datetime.now(UTC)
        await _rush(running, "p-0", numbers, orders)
        ends = _Ends(folder)
        await ends.until(orders)
        last = max(when for _, when in ends.ended.values())
        figures["http"] = {"per_s": orders / (last - began).total_seconds()}
        began = datetime.now(UTC)
        await _rush(running, "p-scarce", numbers, wanted - orders)
        ends = _Ends(folder)
        await ends.until(wanted)
        sold = ends.status["order-finalized"] - orders
        last = max(when for kind, when in ends.ended.values() if kind == "order-finalized")
        figures["one product"] = {"per_s": sold / (last - began).total_seconds(), "oversold": sold - scarce}
        async with connect(running.services["orders"]) as own:
            figures["final"] = latencies(await _paced(own, "p-1", numbers, seconds, "FINALIZED"))
            figures["canceled"] = latencies(await _paced(own, "p-scarce", numbers, seconds, "CANCELED"))
            await own.ask(get("/shop/orders?limit=1"), 200)
        await _rest(folder)
    await _checked(folder)
    if sold != scarce:
        msg = f"{sold} orders of {scarce} units are final"
        raise BenchFault(msg)
    return figures, {"sold": sold, "canceled": ends.status["order-canceled"]}


async def _paced(
    own: LoadConnection, product: str, numbers: "count[int]", seconds: float, status: str
) -> list[float]:
    """Place orders at a steady rate; return the seconds of each until it had this status."""
    taken_s: list[float] = []
    began = time.perf_counter()
    for turn in count():
        due = began + turn / RATE
        if due >= began + seconds and taken_s:
            return taken_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent = time.perf_counter()
        answer = await own.ask(_order(next(numbers), product, Prefer="wait=10"), 201)
        taken_s.append(time.perf_counter() - sent)
        if (found := msgspec.json.decode(answer.body)["state"]) != status:
            msg = f"an order is {found}, not {status}"
            raise BenchFault(msg)
    return taken_s


async def _run(plan: Plan, folder: Path) -> Sample:
    orders = plan.count(ORDERS)
    for part in ("topic", "http"):
        (folder / part).mkdir()
    figures = await _by_topic(folder / "topic", orders)
    more, counted = await _by_http(folder / "http", orders, plan.seconds)
    theirs, facts = await protean(plan.seconds, "protean_shop.py")
    load = {"load_1_min": os.getloadavg()[0]}
    return Sample(figures | more | theirs, {**_FACTS, "orders": orders, **counted, **load, **facts})


SHOP = Measurement("shop", "orders of the shop, from the POST to the purchase", _run, large=True)
