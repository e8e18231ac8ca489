"""The invoice of a final order. Its key is the order's id, whose events it folds for the lines."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.money import Money, vat_of
from bookshelf.shop.order_events import InvoiceAddress, OrderFinalized, OrderPlaced
from bookshelf.shop.payment_events import INVOICE_EVENTS, InvoiceWritten
from bookshelf.shop.values import BoughtLine, VatSum


class WriteInvoice(Command, frozen=True, kw_only=True):
    """Write the invoice, with a number and the seller's name and address."""

    TYPE: ClassVar[str] = "shop.write-invoice.v1"
    number: str
    seller: str
    seller_address: str = ""


class Invoice(State, frozen=True):
    """What an order is invoiced for; `number` is empty before the invoice is written."""

    number: str = ""
    address: InvoiceAddress | None = None
    ordered: datetime | None = None
    finalized: datetime | None = None
    customer: str = ""
    lines: tuple[BoughtLine, ...] = ()
    total: Money | None = None


def vat_sums(lines: Iterable[BoughtLine]) -> tuple[VatSum, ...]:
    """Return the VAT of lines, computed once for each rate on the sum of its lines, by rate."""
    gross: defaultdict[int, int] = defaultdict(int)
    for line in lines:
        gross[line.vat_permille] += line.gross
    return tuple(
        VatSum(permille=rate, gross=amount, vat=vat_of(amount, rate), net=amount - vat_of(amount, rate))
        for rate, amount in sorted(gross.items())
    )


def decide(state: Invoice, command: Command) -> list[Event]:
    """Return the event that a command leads to. Raises `Conflict` before the order is final."""
    match command:
        case WriteInvoice() if state.number:
            return []
        case WriteInvoice():
            return [_written(state, command)]
    return []


def _written(state: Invoice, command: WriteInvoice) -> InvoiceWritten:
    if state.total is None or state.ordered is None or state.finalized is None:
        raise Conflict("only a final order has an invoice")
    return InvoiceWritten(
        number=command.number,
        customer=state.customer,
        address=state.address,
        seller=command.seller,
        seller_address=command.seller_address,
        lines=state.lines,
        vat=vat_sums(state.lines),
        total=state.total,
        ordered=state.ordered,
        finalized=state.finalized,
    )


def evolve(state: Invoice, event: Event) -> Invoice:
    """Return the invoice after an event."""
    replace = msgspec.structs.replace
    match event:
        case OrderPlaced(terms=terms, invoice_address=address, at=at):
            return Invoice(customer=terms.customer, address=address, ordered=at)
        case OrderFinalized(lines=lines, total=total, at=at):
            return replace(state, lines=lines, total=total, finalized=at)
        case InvoiceWritten(number=number):
            return replace(state, number=number)
    return state


INVOICE = Aggregate(
    name="invoice",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Invoice(),
    decide=decide,
    evolve=evolve,
    takes=(WriteInvoice,),
    folds=(OrderPlaced, OrderFinalized, *INVOICE_EVENTS),
)
