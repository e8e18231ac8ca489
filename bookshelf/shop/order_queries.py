"""What orders are answered as: with their lines, and every reason of one that was canceled."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bookshelf.shop.events import EVENTS
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER, PATIENCE, Order
from bookshelf.shop.values import Reason, detail_of
from bookshelf.shop.welcome import LOCAL_READER, account_of

OrderId = Annotated[str, Meta(description="the id of the order", examples=["o-1"])]
OrderStatus = Literal["PENDING", "APPROVED", "FINALIZED", "CANCELED"]
PartStatus = Annotated[
    Literal["PENDING", "RECEIVED", "APPROVED", "DENIED"],
    Meta(description="RECEIVED: it has answered, the other has not"),
]


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order; name and price are those of its hold, or the price that it was ordered at."""

    product: str
    quantity: int
    name: str | None
    price: Money | None
    answer: Annotated[str, Meta(description="reserved, waiting, or the code of a reason")]


class ReasonAnswer(Reason, frozen=True, kw_only=True, omit_defaults=True):
    """A reason, also as a sentence."""

    detail: str


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An order, with all reasons if it was canceled."""

    id: OrderId
    state: OrderStatus
    stock: PartStatus
    payment: PartStatus
    pay: Literal["credit", "card"]
    customer: str
    placed: datetime
    deadline: Annotated[datetime, Meta(description="when the wait for its parts ends")]
    total: Money | None
    lines: list[LineAnswer]
    reasons: list[ReasonAnswer]
    stalled: Annotated[str, Meta(description="timeout, capture-declined, or empty")]
    shipped: datetime | None
    tracking: str
    address: Annotated[str | None, Meta(description="the billing address, or forgotten, as its customer is")]
    invoice: Annotated[str | None, Meta(description="the number of its invoice")]


class OrderEventAnswer(msgspec.Struct, frozen=True):
    """An entry of the history of an order."""

    type: Annotated[str, Meta(examples=["shop.order-placed.v1"])]
    time: str
    actor: str


def state_of(rows: Sequence[Any]) -> Order:
    """Return the state of an order after these events, rows of the view."""
    decoded = (EVENTS.decode(row.type, row.data.encode()) for row in rows)
    return ORDER.fold(event for event in decoded if event is not None)


def _lines(order: Order) -> list[LineAnswer]:
    lines = []
    for line in order.lines:
        held, denied = order.held.get(line.product), order.denied.get(line.product)
        lines.append(
            LineAnswer(
                product=line.product,
                quantity=line.quantity,
                name=held.name if held else None,
                price=held.price if held else line.price,
                answer="reserved" if held else denied.code if denied else "waiting",
            )
        )
    return lines


def _currency(order: Order) -> str:
    prices = [line.price for line in order.bought]
    prices += [line.price for line in order.lines if line.price is not None]
    return prices[0].currency if prices else "EUR"  # without a price no reason has an amount


def to_order_answer(
    order_id: str, order: Order, invoice: str, local_reader: str = LOCAL_READER
) -> OrderAnswer:
    """Return an order as it is answered, in a shop with this account of the local reader."""
    assert order.status  # noqa: S101 (it was placed)
    assert order.placed is not None  # noqa: S101 (as above)
    currency = _currency(order)
    reasons = order.reasons or order.known_reasons
    return OrderAnswer(
        id=order_id,
        state=order.status,
        stock=order.stock_answer,
        payment=order.payment_answer,
        pay=order.terms.pay,
        customer=account_of(order.terms.customer, local_reader),
        placed=order.placed,
        deadline=order.placed + PATIENCE,
        total=order.total,
        lines=_lines(order),
        reasons=[
            ReasonAnswer(**msgspec.structs.asdict(reason), detail=detail_of(reason, currency))
            for reason in reasons
        ],
        stalled=order.stalled,
        shipped=order.shipped,
        tracking=order.tracking,
        address=order.address,
        invoice=invoice or None,
    )
