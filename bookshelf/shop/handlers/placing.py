"""Places orders: once for each key of a customer, and on request waits for the result."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import select

from bookshelf.cqrs.errors import Conflict, Invalid, KeyReused
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.message import sealed_fields
from bookshelf.http.message import Headers, Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, read_body
from bookshelf.runtime.api.keyed import chosen_key, result_fields
from bookshelf.runtime.api.ownership import call_id, created
from bookshelf.runtime.decoding import Decoder
from bookshelf.shop.cards import check_token
from bookshelf.shop.carts import VIEW, cart_products
from bookshelf.shop.manager_routes import customer_of
from bookshelf.shop.money import Price
from bookshelf.shop.order import ORDER, Order
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.order_queries import OrderAnswer, to_order_answer
from bookshelf.shop.values import BUY, LINES_MOST, OrderLine, Quantity
from bookshelf.shop.welcome import LOCAL_READER

#: A text of several lines, without other controls.
_LINES = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$(?!\n)"


class CardPay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pay with a card."""

    card: Annotated[str, Meta(max_length=2000, description="the token of POST /shop/cards")]


class NewLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product to order. With `price`, only at that price of a unit."""

    product: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._~:@-]+$(?!\n)")]
    quantity: Quantity
    price: Price | None = None


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to order and how to pay; `cart`: it is the content of the customer's cart.

    `address`: that of the invoice.
    """

    lines: Annotated[tuple[NewLine, ...], Meta(min_length=1, max_length=LINES_MOST)]
    pay: Literal["credit"] | CardPay
    cart: bool = False
    address: Annotated[str, Meta(max_length=500, pattern=_LINES)] = ""


_BODY = Decoder(NewOrder)
_ANY = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Placing:
    """The handler of POST /shop/orders, in a shop that begins with this currency.

    The addresses of invoices are kept for so many years. `local_reader`: the account of the local reader.
    """

    invoice_years: int
    currency: str
    local_reader: str = LOCAL_READER

    async def place(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 201 with the order; the same one for the same key.

        Raises `Problem`, `Invalid`, `KeyReused`, `KeyringFault`.
        """
        body: NewOrder = await read_body(request, _BODY)
        if isinstance(body.pay, CardPay):
            check_token(body.pay.card)
        actor = context.caller.actor
        began = asyncio.get_running_loop().time()
        made = call_id(actor, _required_key(request.headers))
        order_id = f"o-{created(made)}"
        await self._check_currency(body, order_id, ports)
        place = await self._with_address(_command(body, context), body.address, context, ports)
        # the time and the year's key may differ between retries
        content = msgspec.structs.replace(place, at=_ANY, invoice_address=None)
        result = await ports.ask(ORDER, order_id, place, actor=actor, command_id=made, content=content)
        order: Order = result.state
        if (order.terms, order.lines, order.address) != (place.terms, place.lines, place.address):
            raise KeyReused("this Idempotency-Key was used before, with another content; take a new key")
        headers = {**result_fields(result), "Location": f"/shop/orders/{order_id}"}
        wait_s = header_fields.wait_s(request.headers)
        if wait_s is not None:
            taken_s = asyncio.get_running_loop().time() - began
            left_s = max(0.0, header_fields.waited_s(request.headers, wait_s + taken_s) - taken_s)
            order = await ports.state(ORDER, order_id, lambda state: state.is_at_rest, left_s)
            headers[header_fields.APPLIED] = f"wait={wait_s}"
        shown = msgspec.structs.replace(order, address=body.address or None)
        return json_answer(201, to_order_answer(order_id, shown, "", self.local_reader), headers)

    async def _check_currency(self, body: NewOrder, order_id: str, ports: HandlerPorts) -> None:
        """Check the currencies of the prices and of the shop. Raises `Conflict`, `Invalid`."""
        first = await ports.query(VIEW, lambda db: db.scalar(select(cart_products.c.currency).limit(1)))
        currency = first or self.currency
        for number, line in enumerate(body.lines):
            if line.price is not None and line.price.currency != currency:
                field = f"lines.{number}.price.currency"
                raise Invalid(f"is in {currency}, as all prices of this shop", field=field)
        # what was placed before is answered, and comes to its end in the currency that it has
        if currency != self.currency and not (await ports.state(ORDER, order_id)).status:
            msg = (
                f"this shop takes no orders now: its prices are in {currency}, and its setting shop_currency"
            )
            raise Conflict(f"{msg} is {self.currency}; its operator has to set that back to {currency}")

    async def _with_address(
        self, place: PlaceOrder, address: str, context: RequestContext, ports: HandlerPorts
    ) -> PlaceOrder:
        """Return the command with the address sealed twice: for its customer, and for the invoice."""
        if not address:
            return place
        year = context.at.astimezone(UTC).year
        key = f"invoices-{year}"
        # the end of the last year that its invoices are kept in
        await ports.keyring.make(key, expires=datetime(year + self.invoice_years + 1, 1, 1, tzinfo=UTC))
        person = context.caller.account or LOCAL_READER
        return msgspec.structs.replace(
            place,
            address=await ports.seal(person, sealed_fields(PlaceOrder)["address"], address),
            invoice_address=await ports.seal(key, sealed_fields(PlaceOrder)["invoice_address"], address),
        )


def _required_key(headers: Headers) -> str:
    key = chosen_key(headers)
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


def placing_route(invoice_years: int, currency: str, local_reader: str = LOCAL_READER) -> HandlerRoute:
    """Return the route, for a shop that begins with this currency and keeps addresses for so many years."""
    return HandlerRoute(
        method="POST",
        path="/shop/orders",
        summary="Place an order",
        handler=Placing(invoice_years, currency, local_reader).place,
        body_bytes=64 << 10,
        requires=BUY,
        body=NewOrder,
        returns=OrderAnswer,
        status=201,
        heeds=(header_fields.KEY,),
    )
