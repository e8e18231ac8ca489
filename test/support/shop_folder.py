"""The data folder of a shop: it gets commands by topic while nothing runs, and is checked after faults."""

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from support.process import bookshelf
from support.program import Program
from support.until import until

from bookshelf.cli.shop_reading import read_ledger
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command
from bookshelf.log.port import NewRecord
from bookshelf.log.sqlite.database import prepare
from bookshelf.log.sqlite.log import ReadOnlySqliteLog
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.shop.check.laws import Moment, check_laws
from bookshelf.shop.check.ledger import Ledger
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.product import PRODUCT, AddProduct
from bookshelf.shop.values import OrderLine, ProductDetails

PRICE = Money(1999, "EUR")
_numbers = count()
_ROWS = ("products", "orders", "customers", "invoices")


def by_topic(aggregate: Aggregate[Any], subject: str, command: Command) -> NewRecord:
    """Return a command of a foreign client."""
    at = datetime.now(UTC)
    made = f"client-{next(_numbers)}"
    return command_message(aggregate, command, id=made, source="tests", subject=subject, time=at)


def product(name: str, units: int) -> NewRecord:
    details = ProductDetails(name=name, vat_permille=70)
    return by_topic(PRODUCT, name, AddProduct(details=details, price=PRICE, units=units))


def opened_credit(customer: str, amount: int = 10_000) -> NewRecord:
    return by_topic(CREDIT, customer, OpenCredit(amount=Money(amount, "EUR")))


def placed(number: int, customer: str, line: OrderLine, **terms: Any) -> NewRecord:  # noqa: ANN401 (of `Terms`)
    """Order one line. The deadline begins in an hour: thousands of orders may wait in the topic at once."""
    at = datetime.now(UTC) + timedelta(hours=1)
    place = PlaceOrder(terms=Terms(customer=customer, **terms), lines=(line,), at=at)
    return by_topic(ORDER, f"o-{number}", place)


def rush(customers: int, product_name: str) -> list[NewRecord]:
    """Return what it takes for so many customers to want one unit of a product."""
    line = OrderLine(product_name, 1, PRICE)
    names = [f"a-{number}" for number in range(customers)]
    orders = [placed(number, name, line, cart=True) for number, name in enumerate(names)]
    return [*map(opened_credit, names), *orders]


class ShopFolder:
    """A folder with a log of one partition."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._looked = -1
        data.mkdir(parents=True, exist_ok=True)
        prepare(data / "log.sqlite", 1)

    def send(self, messages: Iterable[NewRecord]) -> None:
        """Append command messages to their topics, while nothing runs."""
        with closing(sqlite3.connect(self.data / "log.sqlite")) as log, log:
            for message in messages:
                [offset] = log.execute(
                    "SELECT count(*) FROM record WHERE topic = ?", (message.topic,)
                ).fetchone()
                row = (message.topic, offset, message.key, message.value)
                log.execute("INSERT INTO record VALUES (?, 0, ?, ?, ?)", row)

    def forget(self, *names: str) -> None:
        """Delete the offsets of these readers, while nothing runs."""
        with closing(sqlite3.connect(self.data / "log.sqlite")) as log, log:
            for name in names:
                assert log.execute("DELETE FROM consumed WHERE name = ?", (name,)).rowcount

    def size(self, topic: str = "shop") -> int:
        """Return the number of records of a topic."""
        with closing(sqlite3.connect(f"file:{self.data / 'log.sqlite'}?mode=ro", uri=True)) as log:
            [size] = log.execute("SELECT count(*) FROM record WHERE topic = ?", (topic,)).fetchone()
            return int(size)

    def consumed(self, name: str) -> int:
        """Return how far a process has read the topic."""
        with closing(sqlite3.connect(f"file:{self.data / 'log.sqlite'}?mode=ro", uri=True)) as log:
            found = log.execute(
                "SELECT off FROM consumed WHERE name = ? AND topic = 'shop'", (name,)
            ).fetchone()
            return 0 if found is None else int(found[0])

    def ledger(self) -> Ledger:
        """Return what the log adds up to."""

        async def read() -> Ledger:
            log = ReadOnlySqliteLog(self.data / "log.sqlite")
            try:
                return await read_ledger(log, {0: self.size()})
            finally:
                await log.close()

        return asyncio.run(read())

    def at_rest(self, orders: int) -> bool:
        """Return True once so many orders are at rest and nothing is missing."""
        if (size := self.size()) == self._looked:  # it takes a while to count a log
            return False
        self._looked = size
        ledger = self.ledger()
        check_laws(ledger, Moment(None))
        return len(ledger.orders) == orders and not ledger.found

    def at_rest_again(self, orders: int) -> bool:
        """Return whether it still is, whatever was looked at before."""
        self._looked = -1
        return self.at_rest(orders)

    def go_on(self, orders: int, *only: str, deadline_s: float = 120) -> None:
        """Run the program until so many orders are at rest, and end it."""
        self._looked = -1
        chosen = [argument for name in only for argument in ("--only", name)]
        with Program(self.data, *chosen).ready() as up:
            until(lambda: self.at_rest(orders), f"{orders} orders are at rest", deadline_s)
            if not only:  # the rows, too
                assert [up.client.get(f"/shop/{rows}").status for rows in _ROWS] == [200] * len(_ROWS)
            assert up.stop().well

    def run_until_final(self, orders: int, *only: str, deadline_s: float = 120) -> None:
        """Run these services until so many orders are final, and end the program."""

        def final() -> bool:
            return sum(order.status == "FINALIZED" for order in self.ledger().orders.values()) == orders

        chosen = [argument for name in only for argument in ("--only", name)]
        with Program(self.data, *chosen).ready() as up:
            until(final, f"{orders} orders are final", deadline_s)
            assert up.stop().well

    def kill_after(self, records: int, *only: str) -> None:
        """Run the program until the topic has so many more records, and kill it -9."""
        begun = self.size()
        chosen = [argument for name in only for argument in ("--only", name)]
        with Program(self.data, *chosen) as up:
            until(lambda: self.size() >= begun + records or not up.alive, f"{records} records")
            up.kill()

    def kill_at_random(self, random: Random, times: int, most: int, *only: str) -> None:
        """Run the program so many times, and kill it after 1 to `most` records."""
        for _ in range(times):
            self.kill_after(random.randint(1, most), *only)

    def checked(self, *args: str) -> Any:  # noqa: ANN401 (JSON)
        """Return what `bookshelf shop check` counts in log and rows; every law must hold."""
        done = bookshelf("shop", "check", "--data", self.data, "--json", *args)
        assert done.code == 0, done
        found = json.loads(done.out)
        return {law["law"]: law for law in found["laws"]}
