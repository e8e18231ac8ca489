"""A product: what the shop sells, at which price. Its units are the business of its stock (stock.py)."""

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import (
    EVENTS,
    PRODUCT_EVENTS,
    TOPIC,
    ProductAdded,
    ProductChanged,
    ProductRemoved,
    ProductRepriced,
)
from bookshelf.shop.money import Money
from bookshelf.shop.values import Attribute, ProductDetails


class AddProduct(Command, frozen=True, kw_only=True):
    """Sell a product, of which these units are there."""

    TYPE: ClassVar[str] = "shop.add-product.v1"
    details: ProductDetails
    price: Money
    units: int = 0


class ChangeProduct(Command, frozen=True, kw_only=True):
    """Change what is given, and leave the rest."""

    TYPE: ClassVar[str] = "shop.change-product.v1"
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    supplier: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    vat_permille: int | UnsetType = UNSET
    unique: bool | UnsetType = UNSET
    attributes: dict[str, Attribute] | UnsetType = UNSET
    image: str | UnsetType = UNSET
    price: Money | UnsetType = UNSET


class RemoveProduct(Command, frozen=True, kw_only=True):
    """Sell the product no more."""

    TYPE: ClassVar[str] = "shop.remove-product.v1"


class Product(State, frozen=True):
    """The state of a product; it has neither details nor price before it is added."""

    details: ProductDetails | None = None
    price: Money | None = None
    removed: bool = False


def decide(state: Product, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `Conflict`, `NotFound`."""
    match command:
        case AddProduct() if state.details is not None:
            raise Conflict("this id is taken", field="id")
        case AddProduct(details=details, price=price, units=units):
            return [ProductAdded(details=details, price=price, units=units)]
        case RemoveProduct() if state.removed:
            return []
        case _ if state.details is None or state.removed:
            raise NotFound("there is no such product")
        case RemoveProduct():
            return [ProductRemoved()]
        case ChangeProduct():
            return _changed(state, command, state.details)
    return []


def _changed(state: Product, command: ChangeProduct, former: ProductDetails) -> list[Event]:
    given = {name: value for name, value in msgspec.structs.asdict(command).items() if value is not UNSET}
    price = given.pop("price", state.price)
    details = msgspec.structs.replace(former, **given)
    events: list[Event] = [] if details == former else [ProductChanged(details=details)]
    return events if price == state.price else [*events, ProductRepriced(price=price)]


def evolve(state: Product, event: Event) -> Product:
    """Return the product after an event."""
    match event:
        case ProductAdded(details=details, price=price):
            return Product(details=details, price=price)
        case ProductChanged(details=details):
            return msgspec.structs.replace(state, details=details)
        case ProductRepriced(price=price):
            return msgspec.structs.replace(state, price=price)
        case ProductRemoved():
            return msgspec.structs.replace(state, removed=True)
    return state


PRODUCT = Aggregate(
    name="product",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Product(),
    decide=decide,
    evolve=evolve,
    takes=(AddProduct, ChangeProduct, RemoveProduct),
    folds=PRODUCT_EVENTS,
)
