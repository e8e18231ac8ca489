"""The commands of a shop that is measured: products, credits and orders."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command
from bookshelf.log.port import Log, NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.events import TOPIC
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.product import PRODUCT, AddProduct
from bookshelf.shop.values import OrderLine, ProductDetails

PRICE = Money(100, "EUR")
#: A customer whose credit is less than any price.
POOR = "a-poor"
_RICH = Money(10**9, "EUR")
_BATCH = 1000


def add_product(product: str, units: int) -> NewRecord:
    """Return the command that adds a product."""
    details = ProductDetails(name="A thing", vat_permille=70)
    add = AddProduct(details=details, price=PRICE, units=units)
    return _message(PRODUCT, product, add, f"add-{product}")


def open_credit(customer: str, amount: Money = _RICH) -> NewRecord:
    """Return the command that opens a credit."""
    return _message(CREDIT, customer, OpenCredit(amount=amount), f"credit-{customer}")


def supplies(products: int, customers: int) -> list[NewRecord]:
    """Return the commands for so many products of many units, and so many customers; and for `POOR`."""
    goods = [add_product(f"p-{number}", 10**9) for number in range(products)]
    credits_ = [open_credit(f"a-{number}") for number in range(customers)]
    return [*goods, *credits_, open_credit(POOR, Money(PRICE.amount - 1, PRICE.currency))]


def orders_of(customers: int, products: int, count: int) -> Iterator[NewRecord]:
    """Return commands that place orders; their deadlines are far away, because all of them wait at once."""
    at = datetime.now(UTC) + timedelta(hours=1)
    for number in range(count):
        line = OrderLine(f"p-{number % products}", 1, PRICE)
        place = PlaceOrder(terms=Terms(customer=f"a-{number % customers}"), lines=(line,), at=at)
        yield _message(ORDER, f"o-{number}", place, f"order-{number}")


def _message(to: Aggregate[Any], subject: str, command: Command, made: str) -> NewRecord:
    at = datetime.now(UTC)
    return command_message(to, command, id=made, source="bench", subject=subject, time=at)


async def prepare(folder: Path, messages: Sequence[NewRecord]) -> None:
    """Write an embedded log that has these commands, in a new folder."""
    await asyncio.to_thread(folder.mkdir)
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    try:
        await fill(log, messages)
    finally:
        await log.close()


async def fill(log: Log, messages: Sequence[NewRecord]) -> None:
    """Append commands, each to the topic and partition of what it is for."""
    writer = await log.writer("bench", TOPIC, 0)
    for first in range(0, len(messages), _BATCH):
        await writer.append(messages[first : first + _BATCH])
    await writer.close()
