"""Recounts stock, credit and orders from the records of the shop, without the deciders that wrote them.

What must hold at each record is checked while it is added; what must hold over several keys is checked by
laws.py, once all records are there.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from bookshelf.cqrs.envelope import ANSWERED, DROPPED, Envelope, change_of, dropped
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.message import Event
from bookshelf.shop import events as shop
from bookshelf.shop.check.orders import OrderCount, count_order
from bookshelf.shop.events import EVENTS
from bookshelf.shop.money import Money
from bookshelf.shop.order_events import ORDER_EVENTS, OrderPlaced
from bookshelf.shop.payment_events import INVOICE_EVENTS, InvoiceWritten, Numbered, PaymentCaptured

#: Records that every topic may have, and that are no events.
_NO_EVENTS = frozenset({ANSWERED, DROPPED})
#: Violations of one law that are kept; further ones are counted.
_KEPT = 100


class Violation(NamedTuple):
    """A law that does not hold, where, and how."""

    law: int
    where: str
    text: str


class StockCount(msgspec.Struct):
    """What the records of a product add up to. `taken`: what each order has, without what it returned."""

    known: bool = False
    price: Money | None = None
    name: str = ""
    vat_permille: int = 0
    removed: bool = False
    image: str = ""
    units: int = 0
    holds: dict[str, int] = msgspec.field(default_factory=dict)
    taken: Counter[str] = msgspec.field(default_factory=Counter)
    refused: dict[str, shop.StockRefused] = msgspec.field(default_factory=dict)

    @property
    def held(self) -> int:
        """The units that are held for orders."""
        return sum(self.holds.values())


class CreditCount(msgspec.Struct):
    """What the records of a credit add up to. `taken`: what each order has, without what it returned."""

    currency: str = ""
    given: int = 0
    balance: int = 0
    holds: dict[str, int] = msgspec.field(default_factory=dict)
    taken: Counter[str] = msgspec.field(default_factory=Counter)
    refused: dict[str, shop.CreditRefused] = msgspec.field(default_factory=dict)

    @property
    def held(self) -> int:
        """The amount that is reserved for orders."""
        return sum(self.holds.values())


class Ledger:
    """The counts of a shop. Records of one partition are added in the order of the log."""

    def __init__(self) -> None:
        self.records = 0
        #: The latest time of a record.
        self.last = datetime.min.replace(tzinfo=UTC)
        self.stocks: dict[str, StockCount] = {}
        self.credits: dict[str, CreditCount] = {}
        self.orders: dict[str, OrderCount] = {}
        self.numbers: dict[str, str] = {}
        self.series: Counter[str] = Counter()
        #: How often an order has taken its lines out of a cart.
        self.carts: Counter[str] = Counter()
        #: The lines of each cart: units and price by product.
        self.cart_lines: dict[str, dict[str, tuple[int, Money]]] = {}
        #: The records of each type that this release does not know, and has not counted.
        self.unknown: Counter[str] = Counter()
        self.captured: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.found: Counter[int] = Counter()
        #: Orders that a credit has refused as one in another currency: that of the credit, and where.
        self.foreign: dict[str, tuple[str, str]] = {}
        self.origins: dict[tuple[str, str, str], str] = {}
        self.unreadable: dict[tuple[int, int], str] = {}
        self._commands: dict[str, str] = {}

    def fail(self, law: int, where: str, text: str) -> None:
        """Note that a law does not hold."""
        self.found[law] += 1
        if self.found[law] <= _KEPT:
            self.violations.append(Violation(law, where, text))

    def add(self, partition: int, offset: int, key: str, value: bytes) -> None:
        """Count a record of the topic."""
        where = f"shop/{partition}@{offset} {key}"
        self.records += 1
        try:
            envelope, event = EVENTS.read(value)
            given_up = dropped(envelope)
        except Malformed as fault:
            self.unreadable[partition, offset] = f"{where}: {fault}"
            return
        if given_up is not None:
            self.unreadable.pop((partition, given_up), None)
        if event is None:
            if envelope.type not in _NO_EVENTS:
                self.unknown[envelope.type] += 1
            return
        self.last = max(self.last, envelope.time)
        self._count_origin(envelope, where)
        self._count(envelope, event, where)

    def _count_origin(self, envelope: Envelope, where: str) -> None:
        """Check law 10: what follows from one record is carried out once."""
        if not envelope.origin:
            return
        place, change = (envelope.source, envelope.subject, envelope.origin), change_of(envelope.id)
        if self.origins.setdefault(place, change) != change:
            self.fail(10, where, f"{envelope.origin} was carried out twice")

    def _count(self, envelope: Envelope, event: Event, where: str) -> None:
        kind, key = type(event), envelope.subject
        if kind in shop.PRODUCT_EVENTS or kind in shop.STOCK_EVENTS:
            self._count_stock(self.stocks.setdefault(key, StockCount()), event, where)
        elif kind in shop.CREDIT_EVENTS:
            self._count_credit(self.credits.setdefault(key, CreditCount()), event, where)
        elif kind in ORDER_EVENTS or kind in INVOICE_EVENTS:
            self._count_order(envelope, event, where)
        elif kind in shop.CART_EVENTS:
            self._count_cart(envelope, event, where)
        elif isinstance(event, PaymentCaptured):
            self.captured[key] += event.amount.amount
        elif isinstance(event, Numbered):
            self._count_number(key, event, where)

    def _count_stock(self, stock: StockCount, event: Event, where: str) -> None:
        """Check law 1 at one record."""
        match event:
            case shop.StockReserved():
                self._hold(1, stock, event.order, event.quantity, where)
                fixed = (event.price, event.name, event.vat_permille)
                if fixed != (stock.price, stock.name, stock.vat_permille):
                    self.fail(7, where, "the hold has another price, name or VAT than the product")
            case shop.StockRefused():
                self._check_refusal(stock, event, where)
            case shop.StockReleased(order=order, quantity=quantity):
                self._end_hold(1, stock, order, quantity, where)
            case shop.StockTaken(order=order, quantity=quantity):
                self._end_hold(1, stock, order, quantity, where)
                stock.units -= quantity
                stock.taken[order] += quantity
            case shop.UnitsReturned(order=order, quantity=quantity):
                self._give_back(1, stock, order, quantity, where)
                stock.units += quantity
            case _:
                _supply(stock, event)
        if not 0 <= stock.held <= stock.units:
            self.fail(1, where, f"{stock.held} units are held, and there are {stock.units}")

    def _check_refusal(self, stock: StockCount, event: shop.StockRefused, where: str) -> None:
        """Check law 7: the reason was true when it was given."""
        stock.refused[event.order] = event
        available = 0 if stock.removed else stock.units - stock.held
        true = {
            "unknown-product": not stock.known,
            "no-longer-sold": stock.removed,
            "price-changed": event.agreed is not None and event.agreed != stock.price == event.price,
            "out-of-stock": event.quantity > available,
        }
        if not true.get(event.reason, False) or event.available != available:
            text = f"{event.reason} is not true: {event.quantity} wanted, {available} available"
            self.fail(7, where, text)

    def _count_credit(self, credit: CreditCount, event: Event, where: str) -> None:  # noqa: C901 (one for each event)
        """Check law 2 at one record."""
        match event:
            case shop.CreditOpened(amount=amount) | shop.CreditGranted(amount=amount):
                credit.currency = amount.currency
                credit.given += amount.amount
                credit.balance += amount.amount
            case shop.CreditSet(amount=amount, former=former):
                if former != credit.balance:
                    self.fail(2, where, f"the balance was {credit.balance}, not {former}")
                credit.given += amount.amount - credit.balance
                credit.balance, credit.currency = amount.amount, amount.currency
            case shop.CreditReserved(order=order, amount=amount):
                self._hold(2, credit, order, amount.amount, where)
            case shop.CreditRefused():
                credit.refused[event.order] = event
                available = credit.balance - credit.held
                lacks = event.needed > available if credit.currency else not event.available
                # up to 1.0 the reason of another currency was unknown-customer, too
                other = event.reason == "other-currency" or (event.reason == "unknown-customer" and not lacks)
                if other and credit.currency:
                    # true only of an order in another currency, which laws.py looks up
                    self.foreign[event.order] = (credit.currency, where)
                    lacks = True
                if not lacks or event.available != available:
                    text = f"{event.reason} is not true: {event.needed} needed, {available} available"
                    self.fail(7, where, text)
            case shop.CreditReleased(order=order, amount=amount):
                self._end_hold(2, credit, order, amount.amount, where)
            case shop.CreditTaken(order=order, amount=amount):
                self._end_hold(2, credit, order, amount.amount, where)
                credit.balance -= amount.amount
                credit.taken[order] += amount.amount
            case shop.CreditReturned(order=order, amount=amount):
                self._give_back(2, credit, order, amount.amount, where)
                credit.balance += amount.amount
        if not 0 <= credit.held <= credit.balance:
            self.fail(2, where, f"{credit.held} is reserved, and the balance is {credit.balance}")

    def _hold(self, law: int, count: StockCount | CreditCount, order: str, quantity: int, where: str) -> None:
        if order in count.holds:
            self.fail(law, where, f"{order} has a hold already")
        count.holds[order] = count.holds.get(order, 0) + quantity

    def _end_hold(
        self, law: int, count: StockCount | CreditCount, order: str, quantity: int, where: str
    ) -> None:
        held = count.holds.pop(order, 0)
        if held != quantity:
            self.fail(law, where, f"{quantity} of {order} is released or taken, and {held} was held")

    def _give_back(
        self, law: int, count: StockCount | CreditCount, order: str, quantity: int, where: str
    ) -> None:
        count.taken[order] -= quantity
        if count.taken[order] < 0:
            self.fail(law, where, f"{order} gives back more than it has taken")

    def _count_order(self, envelope: Envelope, event: Any, where: str) -> None:  # noqa: ANN401 (one of an order)
        key, command = envelope.subject, envelope.commandid
        order = self.orders.setdefault(key, OrderCount())
        if isinstance(event, OrderPlaced) and self._commands.setdefault(command or key, key) != key:
            self.fail(8, where, f"its key has led to {self._commands[command]} too")
        for law, text in count_order(order, event):
            self.fail(law, where, text)
        if isinstance(event, InvoiceWritten):
            order.invoice = event

    def _count_cart(self, envelope: Envelope, event: Event, where: str) -> None:
        """Check law 9: lines go because their customer removes them, or for an order."""
        if envelope.origin and not isinstance(event, shop.CartOrdered):
            self.fail(9, where, "a process has changed lines of a cart without an order")
        lines = self.cart_lines.setdefault(envelope.subject, {})
        match event:
            case shop.LineSet(product=product, quantity=quantity, price=price):
                lines[product] = (quantity, price)
            case shop.LineRemoved(product=product):
                lines.pop(product, None)
            case shop.CartEmptied():
                lines.clear()
            case shop.CartOrdered(order=order, lines=ordered):
                self.carts[order] += 1
                _take_out(lines, {line.product: line.quantity for line in ordered})

    def _count_number(self, series: str, event: Numbered, where: str) -> None:
        """Check law 5 at one record."""
        self.series[series] += 1
        if event.number != self.series[series]:
            self.fail(5, where, f"{event.number} follows {self.series[series] - 1}")
        if event.order in self.numbers:
            self.fail(5, where, f"{event.order} has a number already")
        self.numbers[event.order] = f"{series.removeprefix('invoices-')}-{event.number:06}"


def _take_out(lines: dict[str, tuple[int, Money]], ordered: Mapping[str, int]) -> None:
    """Leave what was not ordered: more may have come in meanwhile."""
    for product, quantity in ordered.items():
        there, price = lines.pop(product, (0, None))
        if price is not None and there > quantity:
            lines[product] = (there - quantity, price)


def _supply(stock: StockCount, event: Event) -> None:
    """Count what a manager does with a product."""
    match event:
        case shop.ProductAdded(price=price, units=units):
            stock.known, stock.price, stock.units = True, price, units
        case shop.ProductRepriced(price=price):
            stock.price = price
        case shop.ProductRemoved():
            stock.removed = True
        case shop.UnitsAdded(units=units):
            stock.units += units
        case shop.UnitsSet(units=units):
            stock.units = units
    if isinstance(event, shop.ProductAdded | shop.ProductChanged):
        details = event.details
        stock.name, stock.vat_permille, stock.image = details.name, details.vat_permille, details.image
