"""Places orders: once for each key of a customer, and on request waits for the result."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bookshelf.cqrs.errors import KeyReused
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Headers, Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.ownership import command_id, created
from bookshelf.runtime.decoding import Decoder
from bookshelf.shop.handlers.bodies import json_answer, read_json
from bookshelf.shop.manager_routes import customer_of
from bookshelf.shop.money import Price
from bookshelf.shop.order import ORDER, Order
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.order_queries import to_order_answer
from bookshelf.shop.values import BUY, LINES_MOST, OrderLine, Quantity


class CardPay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pay with a card."""

    card: Annotated[str, Meta(max_length=2000, description="the token of POST /shop/cards")]


class NewLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product to order. With `price`, only at that price of a unit."""

    product: Annotated[str, Meta(min_length=1, max_length=200, pattern="^[A-Za-z0-9._~:@-]+$")]
    quantity: Quantity
    price: Price | None = None


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to order and how to pay; `cart`: it is the content of the customer's cart."""

    lines: Annotated[tuple[NewLine, ...], Meta(min_length=1, max_length=LINES_MOST)]
    pay: Literal["credit"] | CardPay
    cart: bool = False


_BODY = Decoder(NewOrder)


async def place_order(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 201 with the order; the same one for the same key. Raises `Problem`, `Invalid`, `KeyReused`."""
    body: NewOrder = await read_json(request, _BODY)
    actor = context.caller.actor
    made = command_id(actor, _required_key(request.headers))
    order_id = f"o-{created(made)}"
    place = _command(body, context)
    result = await ports.ask(ORDER, order_id, place, actor=actor, command_id=made)
    order: Order = result.state
    if (order.terms, order.lines) != (place.terms, place.lines):
        raise KeyReused("this Idempotency-Key was used before, with another content; take a new key")
    if wait_s := header_fields.wait_s(request.headers):
        order = await ports.state(ORDER, order_id, lambda state: state.status != "PENDING", wait_s)
    headers = {"Location": f"/shop/orders/{order_id}"}
    if result.position is not None:
        headers["Bookshelf_Position"] = str(result.position)
    if result.replayed:
        headers["Idempotency_Replayed"] = "true"
    return json_answer(201, to_order_answer(order_id, order, ""), **headers)


def _required_key(headers: Headers) -> str:
    key = None if header_fields.TRY in headers else header_fields.key(headers)
    if key is None:
        what = "is needed: a text of your choice, another one for each order and the same one in every retry"
        raise Problem("condition-needed", f"Idempotency-Key {what}", Fault(what, header=header_fields.KEY))
    return key


def _command(body: NewOrder, context: RequestContext) -> PlaceOrder:
    terms = Terms(customer=customer_of(context.caller), cart=body.cart)
    if isinstance(body.pay, CardPay):
        terms = msgspec.structs.replace(terms, pay="card", card=body.pay.card)
    lines = tuple(
        OrderLine(line.product, line.quantity, None if line.price is None else line.price.money)
        for line in body.lines
    )
    return PlaceOrder(terms=terms, lines=lines, at=context.at)


PLACING_ROUTE = HandlerRoute(
    method="POST",
    path="/shop/orders",
    summary="Place an order",
    handler=place_order,
    body_bytes=64 << 10,
    requires=BUY,
)
