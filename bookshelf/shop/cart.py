"""The cart of a customer. It reserves nothing; it loses a line by its customer or by a final order only."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import (
    CART_EVENTS,
    EVENTS,
    TOPIC,
    CartEmptied,
    CartOrdered,
    LineRemoved,
    LineSet,
)
from bookshelf.shop.money import Money
from bookshelf.shop.values import LINES_MOST, OrderLine


class SetLine(Command, frozen=True, kw_only=True):
    """Put units of a product into the cart, in place of those that are there."""

    TYPE: ClassVar[str] = "shop.set-line.v1"
    product: str
    quantity: int
    price: Money


class RemoveLine(Command, frozen=True, kw_only=True):
    """Take a product out of the cart."""

    TYPE: ClassVar[str] = "shop.remove-line.v1"
    product: str


class EmptyCart(Command, frozen=True, kw_only=True):
    """Take everything out of the cart."""

    TYPE: ClassVar[str] = "shop.empty-cart.v1"


class RemoveOrdered(Command, frozen=True, kw_only=True):
    """Take out of the cart what an order has bought."""

    TYPE: ClassVar[str] = "shop.remove-ordered.v1"
    order: str
    lines: tuple[OrderLine, ...]


class Cart(State, frozen=True):
    """The lines of a cart by product, in the order in which they came; each with the price that was seen."""

    lines: dict[str, OrderLine] = msgspec.field(default_factory=dict)


def cart_key(account: str) -> str:
    """Return the key of the events of a person's cart."""
    return f"k-{account}"


def decide(state: Cart, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `Conflict`."""
    match command:
        case SetLine(product=product, quantity=quantity, price=price):
            if state.lines.get(product) == OrderLine(product, quantity, price):
                return []
            if product not in state.lines and len(state.lines) >= LINES_MOST:
                raise Conflict(f"a cart has up to {LINES_MOST} lines; order them, or remove one")
            return [LineSet(product=product, quantity=quantity, price=price)]
        case RemoveLine(product=product):
            return [LineRemoved(product=product)] if product in state.lines else []
        case EmptyCart():
            return [CartEmptied()] if state.lines else []
        case RemoveOrdered(order=order, lines=lines):
            # also if the cart is empty: a repetition must find this event
            return [CartOrdered(order=order, lines=lines)]
    return []


def evolve(state: Cart, event: Event) -> Cart:
    """Return the cart after an event."""
    match event:
        case LineSet(product=product, quantity=quantity, price=price):
            return Cart(lines={**state.lines, product: OrderLine(product, quantity, price)})
        case LineRemoved(product=product):
            return Cart(lines={name: line for name, line in state.lines.items() if name != product})
        case CartEmptied():
            return Cart()
        case CartOrdered(lines=lines):
            return Cart(lines=lines_left(state.lines, lines))
    return state


def lines_left(lines: dict[str, OrderLine], ordered: Sequence[OrderLine]) -> dict[str, OrderLine]:
    """Return the lines of a cart without the units that were ordered: more may have come in meanwhile."""
    bought = {line.product: line.quantity for line in ordered}
    return {
        product: OrderLine(product, line.quantity - bought.get(product, 0), line.price)
        for product, line in lines.items()
        if line.quantity > bought.get(product, 0)
    }


CART = Aggregate(
    name="cart",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Cart(),
    decide=decide,
    evolve=evolve,
    takes=(SetLine, RemoveLine, EmptyCart, RemoveOrdered),
    folds=CART_EVENTS,
)
