"""The events of one order, counted: laws 4, 6, 7 and 12 as far as one order's records show them."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

import msgspec

from bookshelf.cqrs.message import Event
from bookshelf.shop.order_events import (
    CaptureRetried,
    OrderApproved,
    OrderCanceled,
    OrderFinalized,
    OrderPlaced,
    OrderPriced,
    OrderShipped,
    OrderStalled,
    StockAnswered,
    Terms,
)
from bookshelf.shop.payment_events import InvoiceWritten
from bookshelf.shop.values import BoughtLine, OrderLine, Reason

Fault = tuple[int, str]


class OrderCount(msgspec.Struct):
    """What the records of an order add up to. `since`: when its last wait began, or when it came to rest."""

    status: str = ""
    terms: Terms = Terms(customer="")
    lines: tuple[OrderLine, ...] = ()
    total: int | None = None
    currency: str = ""
    since: datetime | None = None
    held: dict[str, BoughtLine] = msgspec.field(default_factory=dict)
    bought: tuple[BoughtLine, ...] = ()
    reasons: tuple[Reason, ...] = ()
    stalled: str = ""
    events: int = 0
    invoice: InvoiceWritten | None = None

    @property
    def at_rest(self) -> bool:
        """True for an order to which nothing happens any more, shipping apart."""
        return self.status in {"FINALIZED", "CANCELED"}


def count_order(order: OrderCount, event: Event) -> Iterator[Fault]:
    """Count an event of an order or its invoice; yield the laws that it violates, and how."""
    if isinstance(event, InvoiceWritten):
        yield from _invoiced(order, event)
        return
    order.events += 1
    if isinstance(event, OrderPlaced) and order.status:
        yield 8, "it was placed twice"
    elif order.at_rest and not isinstance(event, OrderShipped):
        yield 7, f"it was {order.status} before {event.TYPE}"
    elif not order.status and not isinstance(event, OrderPlaced):
        yield 7, f"{event.TYPE} comes before it was placed"
    if isinstance(event, OrderFinalized):
        yield from _finalized(order, event)
    if isinstance(event, OrderCanceled) and not event.reasons:
        yield 7, "it was canceled without a reason"
    _move(order, event)


def _move(order: OrderCount, event: Event) -> None:
    match event:
        case OrderPlaced(terms=terms, lines=lines, total=total, at=at):
            order.status, order.terms, order.lines, order.since = "PENDING", terms, lines, at
            order.total, order.currency = (None, "") if total is None else (total.amount, total.currency)
        case OrderPriced(total=total):
            order.total, order.currency = total.amount, total.currency
        case StockAnswered(product=product, line=BoughtLine() as line):
            order.held[product] = line
        case OrderApproved(at=at):
            order.status, order.since = "APPROVED", at
        case OrderStalled(reason=stalled):
            order.stalled = stalled
        case CaptureRetried(at=at):
            order.stalled, order.since = "", at
        case OrderCanceled(reasons=reasons, at=at):
            order.status, order.reasons, order.since = "CANCELED", reasons, at
        case OrderFinalized(lines=bought, at=at):
            order.status, order.bought, order.since = "FINALIZED", bought, at


def _finalized(order: OrderCount, event: OrderFinalized) -> Iterator[Fault]:
    """Check laws 4 and 7: it is final with the lines that were held, for the price that was agreed to."""
    if event.total.amount != order.total or sum(line.gross for line in event.lines) != order.total:
        yield 7, f"its total was {order.total}, and is {event.total.amount} when it is final"
    if [line.product for line in event.lines] != [line.product for line in order.lines]:
        yield 7, "it is final with other lines than those that were ordered"
    for line, ordered in zip(event.lines, order.lines, strict=False):
        if line.quantity != ordered.quantity or (ordered.price is not None and ordered.price != line.price):
            yield 7, f"{line.product} has another price or quantity than the customer agreed to"
        if order.held.get(line.product) != line:
            yield 4, f"{line.product} is not as it was held"


def _invoiced(order: OrderCount, event: InvoiceWritten) -> Iterator[Fault]:
    """Check laws 4 and 12: one invoice, of what was bought, whose amounts add up."""
    if order.invoice is not None:
        yield 4, "it has a second invoice"
    if order.status != "FINALIZED":
        yield 4, f"it has an invoice, and is {order.status or 'not there'}"
    elif (event.lines, event.total.amount) != (order.bought, order.total):
        yield 4, "its invoice has other lines or another total"
    if event.customer != order.terms.customer:
        yield 4, f"its invoice is of {event.customer}"
    gross: Counter[int] = Counter()
    for line in event.lines:
        gross[line.vat_permille] += line.gross
    if {rate.permille: rate.gross for rate in event.vat} != gross or gross.total() != event.total.amount:
        yield 12, "the sums by VAT rate are not those of the lines, or do not add up to the total"
    for rate in event.vat:
        # once for each rate, rounded half to even, as `round` does
        vat = round(Fraction(rate.gross * rate.permille, 1000 + rate.permille))
        if (rate.vat, rate.net) != (vat, rate.gross - vat):
            yield 12, f"VAT {rate.vat} and net {rate.net} are not those of {rate.gross}"
