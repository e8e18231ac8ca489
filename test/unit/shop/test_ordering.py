"""The arrows of ordering: reserve, take, or release; and those of welcoming and invoicing."""

from datetime import UTC, datetime

import pytest
from support.fixed_infrastructure import NOW
from support.spec import on_event, on_refusal

from bookshelf.accounts.events import AccountOpened
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.process import RefusedCommand, Send
from bookshelf.shop import events
from bookshelf.shop import order_commands as commands
from bookshelf.shop import order_events as orders
from bookshelf.shop import payment_events as payments
from bookshelf.shop.cart import CART, RemoveOrdered
from bookshelf.shop.credit import (
    CREDIT,
    OpenCredit,
    ReleaseCredit,
    ReserveCredit,
    ReturnCredit,
    TakeCredit,
)
from bookshelf.shop.invoice import INVOICE, WriteInvoice
from bookshelf.shop.invoicing import Seller, invoicing
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.ordering import ordering
from bookshelf.shop.payment import PAYMENT, Authorize, Capture, Void
from bookshelf.shop.series import SERIES, Number
from bookshelf.shop.stock import STOCK, ReleaseStock, ReserveStock, ReturnStock, TakeStock
from bookshelf.shop.values import BoughtLine, OrderLine, Reason
from bookshelf.shop.welcome import LOCAL_READER, welcoming

ORDERING = ordering("EUR")
PRICE, TOTAL = Money(1000, "EUR"), Money(2000, "EUR")
CREDITED = orders.Terms(customer="a-1", cart=True)
CARD = orders.Terms(customer="a-1", pay="card", card="token")
LINES = (OrderLine("p-1", 1, PRICE), OrderLine("p-2", 1, PRICE))
BOUGHT = BoughtLine(product="p-1", quantity=1, name="Dune", price=PRICE, vat_permille=70)


def to_stock(command: ReleaseStock | TakeStock | ReturnStock) -> list[Send]:
    return [Send(STOCK, line.product, command) for line in LINES]


def test_a_placed_order_reserves_each_line_and_its_total() -> None:
    reserved = [Send(STOCK, p, ReserveStock(order="o-1", quantity=1, price=PRICE)) for p in ("p-1", "p-2")]
    placed = orders.OrderPlaced(terms=CREDITED, lines=LINES, total=TOTAL, at=NOW)
    total = Send(CREDIT, "a-1", ReserveCredit(order="o-1", amount=TOTAL))
    on_event(ORDERING, placed, subject="o-1").sends(*reserved, total)
    by_card = orders.OrderPlaced(terms=CARD, lines=LINES, total=TOTAL, at=NOW)
    card = Send(PAYMENT, "o-1", Authorize(amount=TOTAL, card="token"))
    on_event(ORDERING, by_card, subject="o-1").sends(*reserved, card)


def test_an_order_without_prices_reserves_its_total_once_it_is_priced() -> None:
    placed = orders.OrderPlaced(terms=CREDITED, lines=(OrderLine("p-1", 1),), at=NOW)
    on_event(ORDERING, placed, subject="o-1").sends(Send(STOCK, "p-1", ReserveStock(order="o-1", quantity=1)))
    total = Send(CREDIT, "a-1", ReserveCredit(order="o-1", amount=TOTAL))
    on_event(ORDERING, orders.OrderPriced(terms=CREDITED, total=TOTAL), subject="o-1").sends(total)


def test_the_local_reader_gets_a_credit_at_the_first_order() -> None:
    for total in (TOTAL, Money(2000, "USD")):  # the credit is in the currency of the shop
        priced = orders.OrderPriced(terms=orders.Terms(customer=LOCAL_READER), total=total)
        reserve = ReserveCredit(order="o-1", amount=total, opening=Money(10_000, "EUR"))
        on_event(ORDERING, priced, subject="o-1").sends(Send(CREDIT, LOCAL_READER, reserve))


@pytest.mark.parametrize(
    ("event", "subject", "command"),
    [
        (
            events.StockReserved(order="o-1", quantity=1, price=PRICE, name="Dune", vat_permille=70),
            "p-1",
            commands.NoteStock(product="p-1", line=BOUGHT, at=NOW),
        ),
        (
            events.StockRefused(order="o-1", reason="out-of-stock", quantity=2, available=1, price=PRICE),
            "p-1",
            commands.NoteStock(
                product="p-1",
                reason=Reason(code="out-of-stock", product="p-1", wanted=2, available=1),
                at=NOW,
            ),
        ),
        (
            events.StockRefused(
                order="o-1", reason="price-changed", quantity=1, available=1, agreed=TOTAL, price=PRICE
            ),
            "p-1",
            commands.NoteStock(
                product="p-1",
                reason=Reason(code="price-changed", product="p-1", agreed=2000, now=1000),
                at=NOW,
            ),
        ),
        (
            events.StockRefused(order="o-1", reason="unknown-product", quantity=1, available=0),
            "p-1",
            commands.NoteStock(product="p-1", reason=Reason(code="unknown-product", product="p-1"), at=NOW),
        ),
        (events.CreditReserved(order="o-1", amount=TOTAL), "a-1", commands.NotePayment(at=NOW)),
        (
            events.CreditRefused(order="o-1", reason="insufficient-credit", needed=2000, available=5),
            "a-1",
            commands.NotePayment(reason=Reason(code="insufficient-credit", needed=2000, available=5), at=NOW),
        ),
        (
            events.CreditRefused(order="o-1", reason="unknown-customer", needed=2000, available=0),
            "a-1",
            commands.NotePayment(reason=Reason(code="unknown-customer"), at=NOW),
        ),
        (payments.PaymentAuthorized(authorization="x"), "o-1", commands.NotePayment(at=NOW)),
        (
            payments.PaymentDeclined(decline="lost"),
            "o-1",
            commands.NotePayment(reason=Reason(code="card-declined", decline="lost"), at=NOW),
        ),
        (events.StockTaken(order="o-1", quantity=1), "p-1", commands.NoteTaken(part="p-1", at=NOW)),
        (events.CreditTaken(order="o-1", amount=TOTAL), "a-1", commands.NoteTaken(part="payment", at=NOW)),
        (payments.PaymentCaptured(amount=TOTAL), "o-1", commands.NoteTaken(part="payment", at=NOW)),
        (
            payments.CaptureDeclined(decline="lost"),
            "o-1",
            commands.StallOrder(reason="capture-declined", decline="lost"),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_each_part_answers_its_order(event: Event, subject: str, command: commands.NoteStock) -> None:
    on_event(ORDERING, event, subject=subject).sends(Send(ORDER, "o-1", command))


def test_an_approved_order_takes_each_line_and_its_total() -> None:
    for terms, payment in (
        (CREDITED, Send(CREDIT, "a-1", TakeCredit(order="o-1"))),
        (CARD, Send(PAYMENT, "o-1", Capture())),
    ):
        approved = orders.OrderApproved(terms=terms, lines=LINES, total=TOTAL, at=NOW)
        on_event(ORDERING, approved, subject="o-1").sends(*to_stock(TakeStock(order="o-1")), payment)


@pytest.mark.parametrize("approved", [False, True])
def test_a_canceled_order_releases_what_it_asked_for_or_takes_back_what_it_took(*, approved: bool) -> None:
    stock = ReturnStock(order="o-1", quantity=1) if approved else ReleaseStock(order="o-1")
    credit = ReturnCredit(order="o-1", amount=TOTAL) if approved else ReleaseCredit(order="o-1")
    for terms, total, payment in (
        (CREDITED, TOTAL, [Send(CREDIT, "a-1", credit)]),
        (CARD, TOTAL, [Send(PAYMENT, "o-1", Void())]),
        (CREDITED, None, []),
    ):
        canceled = orders.OrderCanceled(
            terms=terms, lines=LINES, total=total, reasons=(), approved=approved, at=NOW
        )
        on_event(ORDERING, canceled, subject="o-1").sends(*to_stock(stock), *payment)


def test_a_declined_capture_is_tried_again_when_a_manager_asks_for_it() -> None:
    on_event(ORDERING, orders.CaptureRetried(at=NOW), subject="o-1").sends(Send(PAYMENT, "o-1", Capture()))


def test_a_final_order_clears_the_cart_that_it_came_from() -> None:
    remove = RemoveOrdered(order="o-1", lines=(OrderLine("p-1", 1),))
    final = orders.OrderFinalized(terms=CREDITED, lines=(BOUGHT,), total=PRICE, at=NOW)
    on_event(ORDERING, final, subject="o-1").sends(Send(CART, "k-a-1", remove))
    other = orders.OrderFinalized(terms=CARD, lines=(BOUGHT,), total=PRICE, at=NOW)
    on_event(ORDERING, other, subject="o-1").sends()


def refused(kind: str, to: str, subject: str) -> RefusedCommand:
    return RefusedCommand(
        to=to,
        subject=subject,
        type=kind,
        id="c-1",
        kind="held-back",
        detail="",
        correlation="o-1",
        actor="reader",
        time=NOW,
    )


def test_a_part_that_cannot_decide_is_a_reason_of_its_order() -> None:
    lost = Reason(code="held-back", product="p-1")
    on_refusal(ORDERING, refused(ReserveStock.TYPE, "stock", "p-1")).sends(
        Send(ORDER, "o-1", commands.NoteStock(product="p-1", reason=lost, at=NOW))
    )
    unpaid = Send(ORDER, "o-1", commands.NotePayment(reason=Reason(code="held-back"), at=NOW))
    on_refusal(ORDERING, refused(ReserveCredit.TYPE, "credit", "a-1")).sends(unpaid)
    on_refusal(ORDERING, refused(Authorize.TYPE, "payment", "o-1")).sends(unpaid)
    on_refusal(ORDERING, refused(TakeStock.TYPE, "stock", "p-1")).sends()


def test_a_new_account_gets_the_starting_credit() -> None:
    opened = Send(CREDIT, "a-1", OpenCredit(amount=Money(10_000, "EUR")))
    on_event(welcoming("EUR"), AccountOpened(), subject="a-1").sends(opened)


def test_a_final_order_is_numbered_in_its_year_and_then_invoiced() -> None:
    berlin = invoicing(Seller("Bookshelf", "1 Shelf Street", "Europe/Berlin"))
    final = orders.OrderFinalized(terms=CREDITED, lines=(BOUGHT,), total=PRICE, at=NOW)
    evening = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    on_event(berlin, final, subject="o-1", time=evening).sends(
        Send(SERIES, "invoices-2027", Number(order="o-1"))
    )
    numbered = payments.Numbered(order="o-1", number=7)
    write = WriteInvoice(number="2027-000007", seller="Bookshelf", seller_address="1 Shelf Street")
    on_event(berlin, numbered, subject="invoices-2027").sends(Send(INVOICE, "o-1", write))
