"""The process of ordering: an order reserves its parts, then takes them, or releases what it has reserved.

From the approval on, an order goes forward only, unless a manager cancels it when it has stalled.
"""

from collections.abc import Iterable

from bookshelf.cqrs.process import Arrow, Process, RefusedCommand, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.shop import credit, payment, stock
from bookshelf.shop.cart import CART, RemoveOrdered, cart_key
from bookshelf.shop.credit import CREDIT, ReserveCredit
from bookshelf.shop.events import (
    EVENTS,
    TOPIC,
    CreditRefused,
    CreditReserved,
    CreditTaken,
    StockRefused,
    StockReserved,
    StockTaken,
)
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import NotePayment, NoteStock, NoteTaken, StallOrder
from bookshelf.shop.order_events import (
    PAYMENT_PART,
    CaptureRetried,
    OrderApproved,
    OrderCanceled,
    OrderFinalized,
    OrderPlaced,
    OrderPriced,
)
from bookshelf.shop.payment import PAYMENT, Authorize, Capture, Void
from bookshelf.shop.payment_events import (
    CaptureDeclined,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
)
from bookshelf.shop.stock import STOCK, ReserveStock
from bookshelf.shop.values import BoughtLine, OrderLine, Reason
from bookshelf.shop.welcome import LOCAL_READER, STARTING_CREDIT

_ASKS_PAYMENT = frozenset({ReserveCredit.TYPE, Authorize.TYPE})


def reserve_stock(event: OrderPlaced, recorded: Recorded) -> Iterable[Send]:
    """Hold the units of each line."""
    for line in event.lines:
        reserve = ReserveStock(order=recorded.subject, quantity=line.quantity, price=line.price)
        yield Send(STOCK, line.product, reserve)


def reserving_payment(currency: str) -> Arrow:
    """Return the step that reserves the total, once it is known; credit begins in this currency."""

    def reserve_payment(event: OrderPlaced | OrderPriced, recorded: Recorded) -> Iterable[Send]:
        """Reserve the total, once it is known."""
        terms, total = event.terms, event.total
        if total is None:
            return
        if terms.pay == "card":
            yield Send(PAYMENT, recorded.subject, Authorize(amount=total, card=terms.card))
            return
        # without accounts nothing opens the credit of the one reader before
        opening = Money(STARTING_CREDIT, currency) if terms.customer == LOCAL_READER else None
        asked = ReserveCredit(order=recorded.subject, amount=total, opening=opening)
        yield Send(CREDIT, terms.customer, asked)

    return reserve_payment


def note_stock(event: StockReserved | StockRefused, recorded: Recorded) -> Iterable[Send]:
    """Note with the order what its line has led to."""
    product = recorded.subject
    if isinstance(event, StockReserved):
        line = BoughtLine(
            product=product,
            quantity=event.quantity,
            name=event.name,
            price=event.price,
            vat_permille=event.vat_permille,
        )
        yield Send(ORDER, event.order, NoteStock(product=product, line=line, at=recorded.time))
        return
    reason = _stock_reason(event, product)
    yield Send(ORDER, event.order, NoteStock(product=product, reason=reason, at=recorded.time))


def _stock_reason(event: StockRefused, product: str) -> Reason:
    if event.reason == "out-of-stock":
        return Reason(code=event.reason, product=product, wanted=event.quantity, available=event.available)
    if event.agreed is not None and event.price is not None and event.reason == "price-changed":
        agreed, now = event.agreed.amount, event.price.amount
        return Reason(code=event.reason, product=product, agreed=agreed, now=now)
    return Reason(code=event.reason, product=product)


def note_credit(event: CreditReserved | CreditRefused, recorded: Recorded) -> Iterable[Send]:
    """Note with the order whether its total is reserved."""
    reason = _credit_reason(event) if isinstance(event, CreditRefused) else None
    yield Send(ORDER, event.order, NotePayment(reason=reason, at=recorded.time))


def _credit_reason(event: CreditRefused) -> Reason:
    if event.reason == "insufficient-credit":
        return Reason(code=event.reason, needed=event.needed, available=event.available)
    return Reason(code=event.reason)


def note_card(event: PaymentAuthorized | PaymentDeclined, recorded: Recorded) -> Iterable[Send]:
    """Note with the order whether its card was accepted."""
    reason = None
    if isinstance(event, PaymentDeclined):
        reason = Reason(code="card-declined", decline=event.decline)
    yield Send(ORDER, recorded.subject, NotePayment(reason=reason, at=recorded.time))


def release_stock(event: OrderCanceled, recorded: Recorded) -> Iterable[Send]:
    """Release every line; of an order that was approved, take back what it has taken."""
    order = recorded.subject
    for line in event.lines:
        if event.approved:
            yield Send(STOCK, line.product, stock.ReturnStock(order=order, quantity=line.quantity))
        else:
            yield Send(STOCK, line.product, stock.ReleaseStock(order=order))


def release_payment(event: OrderCanceled, recorded: Recorded) -> Iterable[Send]:
    """Release the total if it was asked for; of an order that was approved, give back what it has taken."""
    order, terms = recorded.subject, event.terms
    if event.total is None:
        return
    if terms.pay == "card":
        yield Send(PAYMENT, order, Void())
    elif event.approved:
        yield Send(CREDIT, terms.customer, credit.ReturnCredit(order=order, amount=event.total))
    else:
        yield Send(CREDIT, terms.customer, credit.ReleaseCredit(order=order))


def take_stock(event: OrderApproved, recorded: Recorded) -> Iterable[Send]:
    """Take the units of each line."""
    for line in event.lines:
        yield Send(STOCK, line.product, stock.TakeStock(order=recorded.subject))


def take_payment(event: OrderApproved, recorded: Recorded) -> Iterable[Send]:
    """Take the total."""
    if event.terms.pay == "card":
        yield Send(PAYMENT, recorded.subject, Capture())
    else:
        yield Send(CREDIT, event.terms.customer, credit.TakeCredit(order=recorded.subject))


def note_taken(event: StockTaken | CreditTaken | PaymentCaptured, recorded: Recorded) -> Iterable[Send]:
    """Note with the order that a part is taken."""
    if isinstance(event, PaymentCaptured):
        yield Send(ORDER, recorded.subject, NoteTaken(part=PAYMENT_PART, at=recorded.time))
        return
    part = recorded.subject if isinstance(event, StockTaken) else PAYMENT_PART
    yield Send(ORDER, event.order, NoteTaken(part=part, at=recorded.time))


def stall_order(event: CaptureDeclined, recorded: Recorded) -> Iterable[Send]:
    """Leave an order whose capture was declined to a manager."""
    stall = StallOrder(reason="capture-declined", decline=event.decline)
    yield Send(ORDER, recorded.subject, stall)


def capture_again(_event: CaptureRetried, recorded: Recorded) -> Iterable[Send]:
    """Try a declined capture again."""
    yield Send(PAYMENT, recorded.subject, payment.Capture())


def clear_cart(event: OrderFinalized, recorded: Recorded) -> Iterable[Send]:
    """Take out of the cart what was bought from it."""
    if event.terms.cart:
        lines = tuple(OrderLine(line.product, line.quantity) for line in event.lines)
        remove = RemoveOrdered(order=recorded.subject, lines=lines)
        yield Send(CART, cart_key(event.terms.customer), remove)


def note_refusal(refused: RefusedCommand) -> Iterable[Send]:
    """Note with the order that a part could not decide."""
    if refused.type == ReserveStock.TYPE:
        reason = Reason(code="held-back", product=refused.subject)
        note = NoteStock(product=refused.subject, reason=reason, at=refused.time)
        yield Send(ORDER, refused.correlation, note)
    elif refused.type in _ASKS_PAYMENT:
        yield Send(ORDER, refused.correlation, NotePayment(reason=Reason(code="held-back"), at=refused.time))


def ordering(currency: str) -> Process:
    """Return the process, for a shop with this currency."""
    reserve_payment = reserving_payment(currency)
    return Process(
        name="ordering",
        topic=TOPIC,
        catalogue=EVENTS,
        arrows=(
            on(OrderPlaced, then=[reserve_stock, reserve_payment]),
            on(OrderPriced, then=[reserve_payment]),
            on(StockReserved, StockRefused, then=[note_stock]),
            on(CreditReserved, CreditRefused, then=[note_credit]),
            on(PaymentAuthorized, PaymentDeclined, then=[note_card]),
            on(OrderCanceled, then=[release_stock, release_payment]),  # compensation
            on(OrderApproved, then=[take_stock, take_payment]),
            on(StockTaken, CreditTaken, PaymentCaptured, then=[note_taken]),
            on(CaptureDeclined, then=[stall_order]),
            on(CaptureRetried, then=[capture_again]),
            on(OrderFinalized, then=[clear_cart]),
        ),
        refused=note_refusal,
    )
