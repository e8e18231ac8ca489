"""An order: approved once every line and the total are reserved, final once all of that is taken.

PENDING -> APPROVED -> FINALIZED, or CANCELED from PENDING, or from a stalled APPROVED by a manager.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop import order_commands as commands
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.money import PRICE_MOST, Money, TotalTooLarge, total_of
from bookshelf.shop.order_events import (
    ORDER_EVENTS,
    PAYMENT_PART,
    Address,
    CaptureRetried,
    OrderApproved,
    OrderCanceled,
    OrderFinalized,
    OrderPlaced,
    OrderPriced,
    OrderShipped,
    OrderStalled,
    PartTaken,
    PaymentAnswered,
    StockAnswered,
    Terms,
)
from bookshelf.shop.values import LINES_MOST, QUANTITY_MOST, BoughtLine, OrderLine, Reason
from bookshelf.shop.welcome import LOCAL_READER

#: How long a placed order waits for its parts, and an approved one until it counts as stalled.
PATIENCE = timedelta(seconds=30)
STALLED_AFTER = timedelta(minutes=5)

Status = Literal["", "PENDING", "APPROVED", "FINALIZED", "CANCELED"]
Answer = Literal["PENDING", "RECEIVED", "APPROVED", "DENIED"]


class Order(State, frozen=True):
    """The state of an order. Lines that are held are in `held`, the others in `denied` with their reason.

    `paid`: whether the payment is reserved, None before its answer. `since`: when its deadline began.
    `capture`: of a card; open from the approval on, or from a further try.
    """

    status: Status = ""
    terms: Terms = Terms(customer="")
    lines: tuple[OrderLine, ...] = ()
    address: Address | None = None
    total: Money | None = None
    placed: datetime | None = None
    held: dict[str, BoughtLine] = msgspec.field(default_factory=dict)
    denied: dict[str, Reason] = msgspec.field(default_factory=dict)
    paid: bool | None = None
    unpaid: Reason | None = None
    since: datetime | None = None
    taken: tuple[str, ...] = ()
    stalled: str = ""
    capture: Literal["", "open", "declined", "done"] = ""
    reasons: tuple[Reason, ...] = ()
    shipped: datetime | None = None
    tracking: str = ""

    @property
    def is_at_rest(self) -> bool:
        """True if nothing follows by itself: it is finalized, canceled, or a manager has to decide."""
        return self.status in {"FINALIZED", "CANCELED"} or bool(self.stalled)

    @property
    def answered(self) -> bool:
        """True once every line has its answer."""
        return len(self.held) + len(self.denied) == len(self.lines)

    @property
    def bought(self) -> tuple[BoughtLine, ...]:
        """The lines that are held, in the order of the order."""
        return tuple(self.held[line.product] for line in self.lines if line.product in self.held)

    @property
    def known_reasons(self) -> tuple[Reason, ...]:
        """Why lines and payment are denied, in the order of the order."""
        of_lines = [self.denied[line.product] for line in self.lines if line.product in self.denied]
        return (*of_lines, *([] if self.unpaid is None else [self.unpaid]))

    @property
    def stock_answer(self) -> Answer:
        """What the lines have led to."""
        if not self.answered:
            return "PENDING"
        if self.status == "PENDING" and self.paid is None:
            return "RECEIVED"
        return "DENIED" if self.denied else "APPROVED"

    @property
    def payment_answer(self) -> Answer:
        """What the payment has led to."""
        if self.paid is None:
            return "PENDING"
        if self.status == "PENDING" and not self.answered:
            return "RECEIVED"
        return "APPROVED" if self.paid else "DENIED"


def decide(state: Order, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `Conflict`, `Invalid`, `NotFound`."""
    match command:
        case commands.PlaceOrder() if state.status:
            raise Conflict("this id is taken", field="id")
        case commands.PlaceOrder():
            return [_placed(command)]
        case commands.NoteStock() | commands.NotePayment() | commands.ExpireOrder():
            return _answered(state, command) if state.status == "PENDING" else []
        case commands.NoteTaken() | commands.StallOrder():
            return _forward(state, command) if state.status == "APPROVED" else []
        case _ if not state.status:
            raise NotFound("there is no such order")
    return _asked(state, command)


def _placed(command: commands.PlaceOrder) -> OrderPlaced:
    lines, terms = command.lines, command.terms
    if not 1 <= len(lines) <= LINES_MOST:
        raise Invalid(f"has 1 to {LINES_MOST} lines", field="lines")
    if len({line.product for line in lines}) < len(lines):
        raise Invalid("has a product twice; give it once", field="lines")
    if not all(1 <= line.quantity <= QUANTITY_MOST for line in lines):
        raise Invalid(f"each line has 1 to {QUANTITY_MOST} units", field="lines")
    prices = [(line.price, line.quantity) for line in lines if line.price is not None]
    if any(not 0 <= price.amount <= PRICE_MOST for price, _ in prices):
        raise Invalid(f"a price has 0 to {PRICE_MOST} minor units", field="lines")
    total = total_of(prices) if len(prices) == len(lines) else None
    return OrderPlaced(
        terms=terms,
        lines=lines,
        total=total,
        address=command.address,
        invoice_address=command.invoice_address,
        at=command.at,
    )


def _answered(
    state: Order, command: commands.NoteStock | commands.NotePayment | commands.ExpireOrder
) -> list[Event]:
    """Return the events of an answer, or of the end of the wait for it."""
    event: Event
    match command:
        case commands.NoteStock(product=product, line=line, reason=reason):
            wanted = {line.product for line in state.lines} - state.held.keys() - state.denied.keys()
            if product not in wanted or (line is None) == (reason is None):
                return []
            event = StockAnswered(product=product, line=line, reason=reason)
        case commands.NotePayment(reason=reason) if state.total is not None and state.paid is None:
            event = PaymentAnswered(reason=reason)
        case commands.ExpireOrder(at=at):
            return [_canceled(state, at, Reason(code="timeout"))]
        case _:
            return []
    return [event, *_go_on(evolve(state, event), command.at)]


def _go_on(state: Order, at: datetime) -> list[Event]:
    """Return what follows from the last answer: nothing while another one is awaited."""
    if not state.answered:
        return []
    if state.total is None:
        return [_canceled(state, at)] if state.denied else [_priced(state, at)]
    if state.paid is None:
        return []
    if state.denied or not state.paid:
        return [_canceled(state, at)]
    return [OrderApproved(terms=state.terms, lines=state.lines, total=state.total, at=at)]


def _priced(state: Order, at: datetime) -> Event:
    try:
        total = total_of((line.price, line.quantity) for line in state.bought)
    except TotalTooLarge:
        return _canceled(state, at, Reason(code="total-too-large"))
    return OrderPriced(terms=state.terms, total=total)


def _canceled(state: Order, at: datetime, *more: Reason) -> OrderCanceled:
    return OrderCanceled(
        terms=state.terms,
        lines=state.lines,
        total=state.total,
        reasons=(*state.known_reasons, *more),
        approved=state.status == "APPROVED",
        at=at,
    )


def _forward(state: Order, command: commands.NoteTaken | commands.StallOrder) -> list[Event]:
    """Return the events of an approved order."""
    if isinstance(command, commands.StallOrder):
        declined = command.reason == "capture-declined"
        if (declined and state.capture != "open") or (not declined and state.stalled):
            return []
        return [OrderStalled(reason=command.reason, decline=command.decline)]
    parts = {*(line.product for line in state.lines), PAYMENT_PART} - set(state.taken)
    if command.part not in parts or state.total is None:
        return []
    taken = PartTaken(part=command.part)
    if len(parts) > 1:
        return [taken]
    final = OrderFinalized(terms=state.terms, lines=state.bought, total=state.total, at=command.at)
    return [taken, final]


def _asked(state: Order, command: Command) -> list[Event]:
    """Return the events of what the customer or a manager asks for."""
    match command:
        case commands.CancelOrder(customer=customer) if customer not in {None, state.terms.customer}:
            raise NotFound("there is no such order")
        case commands.CancelOrder(customer=customer, at=at):
            by_manager = customer is None
            if state.status != "PENDING" and not (by_manager and _may_go_back(state)):
                raise Conflict(f"the order is {_described(state)}; it cannot be canceled")
            return [_canceled(state, at, Reason(code="manager" if by_manager else "customer"))]
        case commands.RetryCapture(at=at):
            if state.status != "APPROVED" or state.capture != "declined":
                raise Conflict(f"the order is {_described(state)}; no payment of it was declined")
            return [CaptureRetried(at=at)]
        case commands.ShipOrder(tracking=tracking, at=at):
            if state.status != "FINALIZED" or state.shipped is not None:
                raise Conflict(f"the order is {_described(state)}; it cannot be shipped")
            return [OrderShipped(tracking=tracking, at=at)]
    return []


def _may_go_back(state: Order) -> bool:
    """Return True for a stalled order that has taken nothing that cannot be returned."""
    return state.status == "APPROVED" and bool(state.stalled) and state.capture in {"", "declined"}


def _described(state: Order) -> str:
    if state.status == "APPROVED" and state.capture == "open":
        return "APPROVED, and its payment is under way"
    return "shipped" if state.shipped is not None else state.status


def evolve(state: Order, event: Event) -> Order:  # noqa: PLR0911 (one for each event)
    """Return the order after an event."""
    replace = msgspec.structs.replace
    match event:
        case OrderPlaced(terms=terms, lines=lines, address=address, total=total, at=at):
            placed = Order(status="PENDING", terms=terms, lines=lines, address=address, total=total)
            return replace(placed, placed=at, since=at)
        case StockAnswered(product=product, line=BoughtLine() as line):
            return replace(state, held={**state.held, product: line})
        case StockAnswered(product=product, reason=Reason() as reason):
            return replace(state, denied={**state.denied, product: reason})
        case OrderPriced(total=total):
            return replace(state, total=total)
        case PaymentAnswered(reason=reason):
            return replace(state, paid=reason is None, unpaid=reason)
        case OrderApproved(at=at):
            capture = "open" if state.terms.pay == "card" else ""
            return replace(state, status="APPROVED", since=at, capture=capture)
        case OrderCanceled(reasons=reasons):
            return replace(state, status="CANCELED", reasons=reasons)
        case OrderFinalized():
            return replace(state, status="FINALIZED")
    return _moved(state, event)


def _moved(state: Order, event: Event) -> Order:
    """Return an approved order after an event."""
    replace = msgspec.structs.replace
    match event:
        case PartTaken(part=part):
            done = state.capture and part == PAYMENT_PART
            return replace(state, taken=(*state.taken, part), capture="done" if done else state.capture)
        case OrderStalled(reason=reason):
            capture = "declined" if reason == "capture-declined" else state.capture
            return replace(state, stalled=reason, capture=capture)
        case CaptureRetried(at=at):
            return replace(state, stalled="", capture="open", since=at)
        case OrderShipped(tracking=tracking, at=at):
            return replace(state, shipped=at, tracking=tracking)
    return state


def due(state: Order) -> tuple[datetime, Command] | None:
    """Return when the wait for the parts ends, or when an approved order counts as stalled."""
    if state.since is None:
        return None
    if state.status == "PENDING":
        end = state.since + PATIENCE
        return end, commands.ExpireOrder(at=end)
    if state.status == "APPROVED" and not state.stalled:
        return state.since + STALLED_AFTER, commands.StallOrder(reason="timeout")
    return None


def owner_of(state: Order) -> str | None:
    """Return the person that an order belongs to; None for the local reader."""
    return None if state.terms.customer == LOCAL_READER else state.terms.customer


ORDER = Aggregate(
    name="order",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Order(),
    decide=decide,
    evolve=evolve,
    due=due,
    takes=(
        commands.PlaceOrder,
        commands.NoteStock,
        commands.NotePayment,
        commands.NoteTaken,
        commands.CancelOrder,
        commands.StallOrder,
        commands.RetryCapture,
        commands.ShipOrder,
    ),
    folds=ORDER_EVENTS,
    owner=owner_of,
)
