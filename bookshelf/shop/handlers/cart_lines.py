"""Customers fill their carts: a line is checked against the product, which the view of carts knows."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import select

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.message import Command
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, read_body
from bookshelf.runtime.api.keyed import Keyed, keyed, result_fields
from bookshelf.runtime.decoding import Decoder
from bookshelf.shop.cart import CART, Cart, EmptyCart, RemoveLine, SetLine, cart_key
from bookshelf.shop.carts import VIEW, cart_products
from bookshelf.shop.manager_routes import customer_of
from bookshelf.shop.money import Money, Price
from bookshelf.shop.values import BUY, QUANTITY_MOST, OrderLine

_COUNT = Meta(ge=0, le=QUANTITY_MOST, description="how many units; 0 removes the line", examples=[1])


class NewCartLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of a product in a cart. `price` is the one that the customer saw, by default the present one."""

    quantity: Annotated[int, _COUNT]
    price: Price | None = None


class AskedLine(msgspec.Struct, frozen=True):
    """What a request asks of a line; a repetition asks the same, whatever the product costs by then."""

    product: str
    quantity: int
    price: Price | None = None


class CartState(msgspec.Struct, frozen=True):
    """The lines of a cart as a command has left it, and the number of units."""

    lines: tuple[OrderLine, ...]
    count: int


_BODY = Decoder(NewCartLine)


async def set_line(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 200 with the cart. Raises `Problem`, `Conflict`, `Invalid`, `KeyReused`, `NotFound`."""
    body: NewCartLine = await read_body(request, _BODY)
    product = context.path["product"]
    asked = keyed(request, context, AskedLine(product, body.quantity, body.price))
    if not body.quantity:
        return await _changed(RemoveLine(product=product), asked, context, ports)
    find = select(cart_products).where(cart_products.c.id == product)
    after = header_fields.after(request.headers)
    row = await ports.query(VIEW, lambda db: db.execute(find).first(), after)
    price = _checked(row, body)
    quantity = 1 if row.one_only else body.quantity  # of a unique product a cart has one
    return await _changed(SetLine(product=product, quantity=quantity, price=price), asked, context, ports)


def _checked(row: Any, body: NewCartLine) -> Money:  # noqa: ANN401 (a row)
    """Return the price that a line is agreed at."""
    if row is None:
        raise NotFound("there is no such product")
    if row.removed:
        raise Conflict("this product is no longer sold")
    if body.price is None:
        return Money(row.price, row.currency)
    if body.price.currency != row.currency:
        raise Invalid(f"is in {row.currency}, as all prices of this shop", field="price.currency")
    return body.price.money


async def remove_line(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 200 with the cart, also if the line was not there. Raises `Problem`, `KeyReused`."""
    product = context.path["product"]
    asked = keyed(request, context, AskedLine(product, 0))
    return await _changed(RemoveLine(product=product), asked, context, ports)


async def empty_cart(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 200 with the empty cart. Raises `Problem`, `KeyReused`."""
    command = EmptyCart()
    return await _changed(command, keyed(request, context, command), context, ports)


async def _changed(command: Command, asked: Keyed, context: RequestContext, ports: HandlerPorts) -> Response:
    cart = cart_key(customer_of(context.caller))
    result = await ports.ask(CART, cart, command, **asked)
    state: Cart = result.state
    lines = tuple(state.lines.values())
    return json_answer(200, CartState(lines, sum(line.quantity for line in lines)), result_fields(result))


CART_COMMANDS = tuple(
    HandlerRoute(
        method=method,
        path=path,
        summary=summary,
        handler=handler,
        requires=BUY,
        body=NewCartLine if method == "PUT" else None,
        returns=CartState,
    )
    for method, path, summary, handler in (
        ("PUT", "/shop/cart/lines/{product}", "Set the units of a product in one's cart", set_line),
        ("DELETE", "/shop/cart/lines/{product}", "Take a product out of one's cart", remove_line),
        ("DELETE", "/shop/cart", "Empty one's cart", empty_cart),
    )
)
