"""The view of carts: the lines of each, with what the products are called, cost and have left by now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    Row,
    Table,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shop import events
from bookshelf.shop.cart import cart_key
from bookshelf.shop.catalogue_queries import Availability, ProductId
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.money import MOST, Money
from bookshelf.shop.product_rows import availability_of, first_stock, stock_columns, stock_handlers
from bookshelf.shop.values import BUY
from bookshelf.shop.welcome import LOCAL_READER
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
cart_lines = Table(
    "carts_line",
    TABLES,
    Column("cart", TEXT, primary_key=True),
    Column("product", TEXT, primary_key=True),
    Column("came", BigInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("currency", TEXT, nullable=False),
)
cart_products = Table(
    "carts_product",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("image", TEXT, nullable=False),
    Column("one_only", Boolean, nullable=False),
    *stock_columns(),
)
_cart, _product = bindparam("of_cart", type_=TEXT), bindparam("of_product", type_=TEXT)
_line = (cart_lines.c.cart == _cart, cart_lines.c.product == _product)
_ENTER = insert(cart_lines).from_select(
    ["cart", "product", "came", "quantity", "price", "currency"],
    select(
        _cart,
        _product,
        bindparam("offset", type_=BigInteger),
        bindparam("number", type_=Integer),
        bindparam("amount", type_=BigInteger),
        bindparam("code", type_=TEXT),
    ).where(~exists().where(*_line)),
)
_SET = (
    update(cart_lines)
    .where(*_line)
    .values(quantity=bindparam("number"), price=bindparam("amount"), currency=bindparam("code"))
)
_REMOVE = delete(cart_lines).where(*_line)
_EMPTY = delete(cart_lines).where(cart_lines.c.cart == _cart)
_TAKE = update(cart_lines).where(*_line).values(quantity=cart_lines.c.quantity - bindparam("number"))
_CLEAR = delete(cart_lines).where(*_line, cart_lines.c.quantity <= 0)
_ADD = insert(cart_products)
_DESCRIBE = (
    update(cart_products)
    .where(cart_products.c.id == bindparam("row"))
    .values(
        name=bindparam("new_name"),
        image=bindparam("new_image"),
        one_only=bindparam("new_one_only"),
        version=bindparam("offset"),
    )
)


def _set(event: events.LineSet, recorded: Recorded) -> Iterable[Change]:
    """Set a line; one that is there stays in its place."""
    line = {"of_cart": recorded.subject, "of_product": event.product, "number": event.quantity}
    price = {"amount": event.price.amount, "code": event.price.currency}
    yield _ENTER, {**line, **price, "offset": recorded.offset}
    yield _SET, {**line, **price}


def _removed(event: events.LineRemoved, recorded: Recorded) -> Iterable[Change]:
    yield _REMOVE, {"of_cart": recorded.subject, "of_product": event.product}


def _emptied(_event: events.CartEmptied, recorded: Recorded) -> Iterable[Change]:
    yield _EMPTY, {"of_cart": recorded.subject}


def _ordered(event: events.CartOrdered, recorded: Recorded) -> Iterable[Change]:
    """Leave what was not ordered: more may have come in meanwhile."""
    for line in event.lines:
        key = {"of_cart": recorded.subject, "of_product": line.product}
        yield _TAKE, {**key, "number": line.quantity}
        yield _CLEAR, key


def _added(event: events.ProductAdded, recorded: Recorded) -> Iterable[Change]:
    details = event.details
    shown = {"name": details.name, "image": details.image, "one_only": details.unique}
    yield _ADD, {"id": recorded.subject, **shown, **first_stock(event, recorded)}


def _changed(event: events.ProductChanged, recorded: Recorded) -> Iterable[Change]:
    details = event.details
    new = {"new_name": details.name, "new_image": details.image, "new_one_only": details.unique}
    yield _DESCRIBE, {"row": recorded.subject, "offset": recorded.offset, **new}


HANDLERS: Mapping[type[Any], Handler] = {
    events.LineSet: _set,
    events.LineRemoved: _removed,
    events.CartEmptied: _emptied,
    events.CartOrdered: _ordered,
    events.ProductAdded: _added,
    events.ProductChanged: _changed,
    **stock_handlers(cart_products),
}
VIEW = View(name="carts", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)


class CartLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a cart, with what the product is now. A product that is sold no more has no price."""

    product: ProductId
    name: str
    image: Annotated[str, Meta(description="the id of a file; empty for none")]
    quantity: int
    unique: Annotated[bool, Meta(description="a cart has at most one unit of it")]
    price: Annotated[Money | None, Meta(description="the price of a unit that the customer saw")]
    now: Annotated[Money | None, Meta(description="the present price of a unit")]
    availability: Availability
    removed: Annotated[bool, Meta(description="it is sold no more")]
    subtotal: Annotated[Money | None, Meta(description="at the present price")]


class CartAnswer(msgspec.Struct, frozen=True):
    """The cart of a customer. `count` is of units.

    `total` is at present prices, of what is still sold; null if nothing is, or if it is over the limit of an
    order.
    """

    lines: list[CartLine]
    total: Money | None
    count: int


class CartQuery(Owned, forbid_unknown_fields=True):
    """One's own cart."""


def _shown(row: Row[Any]) -> CartLine:
    known = row.id is not None
    now = Money(row.now, row.now_currency) if known and not row.removed else None
    return CartLine(
        product=row.product,
        name=row.name if known else "",
        image=row.image if known else "",
        quantity=row.quantity,
        unique=bool(row.one_only),
        price=Money(row.price, row.currency),
        now=now,
        availability=availability_of(row.units - row.held if now else 0),
        removed=now is None,
        subtotal=None if now is None else Money(now.amount * row.quantity, now.currency),
    )


def _total(lines: Sequence[CartLine]) -> Money | None:
    sums = [line.subtotal for line in lines if line.subtotal is not None]
    total = sum(part.amount for part in sums)
    return Money(total, sums[0].currency) if sums and total <= MOST else None


def own_cart(db: Any, asked: CartQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return the caller's cart; an empty one has no lines."""
    now = [cart_products.c.price.label("now"), cart_products.c.currency.label("now_currency")]
    names = ("id", "name", "image", "one_only", "units", "held", "removed")
    # a rebuild may come to a cart before it comes to the product
    both = cart_lines.outerjoin(cart_products, cart_products.c.id == cart_lines.c.product)
    query = select(cart_lines, *now, *(cart_products.c[name] for name in names)).select_from(both)
    own = query.where(cart_lines.c.cart == cart_key(asked.owner or LOCAL_READER))
    lines = [_shown(row) for row in db.execute(own.order_by(cart_lines.c.came))]
    return Answer(CartAnswer(lines, _total(lines), sum(line.quantity for line in lines)))


CART_QUERIES = (
    QueryRoute(
        path="/shop/cart",
        summary="One's cart",
        view=VIEW,
        query=own_cart,
        params=CartQuery,
        returns=CartAnswer,
        requires=BUY,
    ),
)
