"""The stock of a product: its units, and those that are held for orders until these take or release them.

Its key is the product's, whose events it folds for the price that a hold fixes.
"""

from typing import ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import (
    EVENTS,
    PRODUCT_EVENTS,
    STOCK_EVENTS,
    TOPIC,
    ProductAdded,
    ProductChanged,
    ProductRemoved,
    ProductRepriced,
    StockRefused,
    StockReleased,
    StockReserved,
    StockTaken,
    UnitsAdded,
    UnitsReturned,
    UnitsSet,
)
from bookshelf.shop.money import Money

#: The most units of a product.
UNITS_MOST = 10**9


class AddUnits(Command, frozen=True, kw_only=True):
    """Note that more units are there."""

    TYPE: ClassVar[str] = "shop.add-units.v1"
    units: int
    why: str = ""


class SetUnits(Command, frozen=True, kw_only=True):
    """Set the units, those that are held among them."""

    TYPE: ClassVar[str] = "shop.set-units.v1"
    units: int
    why: str = ""


class ReserveStock(Command, frozen=True, kw_only=True):
    """Hold units for an order; with `price`, only if that is the price of a unit."""

    TYPE: ClassVar[str] = "shop.reserve-stock.v1"
    order: str
    quantity: int
    price: Money | None = None


class ReleaseStock(Command, frozen=True, kw_only=True):
    """Hold nothing for an order any more."""

    TYPE: ClassVar[str] = "shop.release-stock.v1"
    order: str


class TakeStock(Command, frozen=True, kw_only=True):
    """Sell the units that are held for an order."""

    TYPE: ClassVar[str] = "shop.take-stock.v1"
    order: str


class ReturnStock(Command, frozen=True, kw_only=True):
    """Take units of an order back that it has taken; release those that are still held for it."""

    TYPE: ClassVar[str] = "shop.return-stock.v1"
    order: str
    quantity: int


class Stock(State, frozen=True):
    """The units of a product, and the quantity that is held for each order; `held` is their sum.

    `price` is None before the product is added.
    """

    price: Money | None = None
    name: str = ""
    vat_permille: int = 0
    removed: bool = False
    units: int = 0
    held: int = 0
    holds: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def available(self) -> int:
        """The units that another order can have."""
        return self.units - self.held


def decide(state: Stock, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `Conflict`, `NotFound`.

    What an order asks for is always answered with an event.
    """
    match command:
        case ReserveStock():
            return _reserved(state, command)
        case ReleaseStock(order=order) | ReturnStock(order=order) if order in state.holds:
            return [StockReleased(order=order, quantity=state.holds[order])]
        case TakeStock(order=order) if order in state.holds:
            return [StockTaken(order=order, quantity=state.holds[order])]
        case ReturnStock(order=order, quantity=quantity):
            return [UnitsReturned(order=order, quantity=quantity)]
        case AddUnits() | SetUnits():
            return _supplied(state, command)
    return []


def _reserved(state: Stock, command: ReserveStock) -> list[Event]:
    if command.order in state.holds:  # one hold for each order
        return []
    reason = _reason(state, command)
    if reason or state.price is None:
        refused = StockRefused(
            order=command.order,
            reason=reason,
            quantity=command.quantity,
            available=0 if state.removed else state.available,
            agreed=command.price,
            price=state.price,
        )
        return [refused]
    reserved = StockReserved(
        order=command.order,
        quantity=command.quantity,
        price=state.price,
        name=state.name,
        vat_permille=state.vat_permille,
    )
    return [reserved]


def _reason(state: Stock, command: ReserveStock) -> str:
    if state.price is None:
        return "unknown-product"
    if state.removed:
        return "no-longer-sold"
    if command.price is not None and command.price != state.price:
        return "price-changed"
    return "out-of-stock" if command.quantity > state.available else ""


def _supplied(state: Stock, command: AddUnits | SetUnits) -> list[Event]:
    if state.price is None or state.removed:
        raise NotFound("there is no such product")
    if isinstance(command, AddUnits):
        if state.units + command.units > UNITS_MOST:
            raise Conflict(f"a product has up to {UNITS_MOST} units; there are {state.units}")
        return [UnitsAdded(units=command.units, why=command.why)]
    if command.units < state.held:
        raise Conflict(f"{state.held} units are held for orders; set at least as many")
    return [] if command.units == state.units else [UnitsSet(units=command.units, why=command.why)]


def evolve(state: Stock, event: Event) -> Stock:  # noqa: PLR0911 (one for each event)
    """Return the stock after an event."""
    replace = msgspec.structs.replace
    match event:
        case StockReserved(order=order, quantity=quantity):
            return replace(state, held=state.held + quantity, holds={**state.holds, order: quantity})
        case StockReleased(order=order):
            return _without(state, order)
        case StockTaken(order=order, quantity=quantity):
            return replace(_without(state, order), units=state.units - quantity)
        case UnitsReturned(quantity=quantity) | UnitsAdded(units=quantity):
            return replace(state, units=state.units + quantity)
        case UnitsSet(units=units):
            return replace(state, units=units)
        case ProductAdded(details=details, price=price, units=units):
            return Stock(price=price, name=details.name, vat_permille=details.vat_permille, units=units)
        case ProductChanged(details=details):
            return replace(state, name=details.name, vat_permille=details.vat_permille)
        case ProductRepriced(price=price):
            return replace(state, price=price)
        case ProductRemoved():
            return replace(state, removed=True)
    return state


def _without(state: Stock, order: str) -> Stock:
    holds = dict(state.holds)
    quantity = holds.pop(order, 0)
    return msgspec.structs.replace(state, held=state.held - quantity, holds=holds)


STOCK = Aggregate(
    name="stock",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Stock(),
    decide=decide,
    evolve=evolve,
    takes=(AddUnits, SetUnits, ReserveStock, ReleaseStock, TakeStock, ReturnStock),
    folds=(*PRODUCT_EVENTS, *STOCK_EVENTS),
    refusals=(StockRefused,),
)
