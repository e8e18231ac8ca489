"""A small context with a process: the units of an order's lines are held before the order is approved.

The laws: what a stock holds and has sold never exceeds its units, and an order at rest is approved with all
of its lines sold, or canceled with none of them held.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from msgspec import field
from msgspec.structs import replace

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.process import Process, RefusedCommand, Send, on
from bookshelf.cqrs.view import Recorded

TOPIC = "stall"


class OrderPlaced(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.order-placed.v1"
    lines: dict[str, int]


class OrderApproved(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.order-approved.v1"
    products: tuple[str, ...]


class OrderCanceled(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.order-canceled.v1"
    products: tuple[str, ...]


class LineAnswered(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.line-answered.v1"
    product: str
    held: bool


class RefusalNoted(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.refusal-noted.v1"
    product: str
    kind: str


class PaymentNoted(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.payment-noted.v1"
    receipt: str


class UnitsSupplied(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.units-supplied.v1"
    units: int


class UnitsHeld(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.units-held.v1"
    order: str
    units: int


class UnitsRefused(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.units-refused.v1"
    order: str


class UnitsReleased(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.units-released.v1"
    order: str


class UnitsSold(Event, frozen=True):
    TYPE: ClassVar[str] = "stall.units-sold.v1"
    order: str


EVENTS = Catalogue(
    *(OrderPlaced, OrderApproved, OrderCanceled, LineAnswered, RefusalNoted, PaymentNoted),
    *(UnitsSupplied, UnitsHeld, UnitsRefused, UnitsReleased, UnitsSold),
)


class PlaceOrder(Command, frozen=True):
    TYPE: ClassVar[str] = "stall.place-order.v1"
    lines: dict[str, int]


class AnswerLine(Command, frozen=True):
    TYPE: ClassVar[str] = "stall.answer-line.v1"
    product: str
    held: bool


class NoteRefusal(Command, frozen=True):
    """Note that a product refused; once each, because a process may report a refusal again."""

    TYPE: ClassVar[str] = "stall.note-refusal.v1"
    product: str
    kind: str


class NotePayment(Command, frozen=True):
    """Note a payment, as often as that is asked: only the origin of a command shows a repetition."""

    TYPE: ClassVar[str] = "stall.note-payment.v1"
    receipt: str


class Order(State, frozen=True):
    lines: dict[str, int] = field(default_factory=dict)
    answers: dict[str, bool] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    end: str = ""
    payments: tuple[str, ...] = ()


def decide_order(order: Order, command: Command) -> list[Event]:
    match command:
        case PlaceOrder(lines=lines) if not order.lines:
            return [OrderPlaced(lines=lines)]
        case AnswerLine(product=product, held=held) if product not in order.answers:
            answers = {**order.answers, product: held}
            return [LineAnswered(product=product, held=held), *_end(order, answers)]
        case NoteRefusal(product=product, kind=kind) if product not in order.refusals:
            return [RefusalNoted(product=product, kind=kind)]
        case NotePayment(receipt=receipt):
            return [PaymentNoted(receipt=receipt)]
    return []


def _end(order: Order, answers: dict[str, bool]) -> list[Event]:
    if answers.keys() != order.lines.keys():
        return []
    if all(answers.values()):
        return [OrderApproved(products=tuple(answers))]
    return [OrderCanceled(products=tuple(name for name, held in answers.items() if held))]


def evolve_order(order: Order, event: Event) -> Order:
    match event:
        case OrderPlaced(lines=lines):
            return Order(lines=lines)
        case LineAnswered(product=product, held=held):
            return replace(order, answers={**order.answers, product: held})
        case RefusalNoted(product=product, kind=kind):
            return replace(order, refusals={**order.refusals, product: kind})
        case PaymentNoted(receipt=receipt):
            return replace(order, payments=(*order.payments, receipt))
        case OrderApproved() | OrderCanceled():
            return replace(order, end="approved" if isinstance(event, OrderApproved) else "canceled")
    return order


class SupplyUnits(Command, frozen=True):
    TYPE: ClassVar[str] = "stall.supply-units.v1"
    units: int


class HoldUnits(Command, frozen=True):
    """Hold units for an order; an order of 13 is refused without an event, as no process should do."""

    TYPE: ClassVar[str] = "stall.hold-units.v1"
    order: str
    units: int


class ReleaseUnits(Command, frozen=True):
    TYPE: ClassVar[str] = "stall.release-units.v1"
    order: str


class SellUnits(Command, frozen=True):
    TYPE: ClassVar[str] = "stall.sell-units.v1"
    order: str


class Stock(State, frozen=True):
    units: int = 0
    sold: int = 0
    holds: dict[str, int] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return self.units - self.sold - sum(self.holds.values())


def decide_stock(stock: Stock, command: Command) -> list[Event]:
    match command:
        case SupplyUnits(units=units):
            return [UnitsSupplied(units=units)]
        case HoldUnits(units=13):
            raise Conflict("thirteen is never held")
        case HoldUnits(order=order, units=units) if units <= stock.free:
            return [UnitsHeld(order=order, units=units)]
        case HoldUnits(order=order):
            return [UnitsRefused(order=order)]
        case ReleaseUnits(order=order) if order in stock.holds:
            return [UnitsReleased(order=order)]
        case SellUnits(order=order) if order in stock.holds:
            return [UnitsSold(order=order)]
    return []


def evolve_stock(stock: Stock, event: Event) -> Stock:
    match event:
        case UnitsSupplied(units=units):
            return replace(stock, units=stock.units + units)
        case UnitsHeld(order=order, units=units):
            return replace(stock, holds={**stock.holds, order: units})
        case UnitsReleased(order=order) | UnitsSold(order=order):
            sold = stock.holds[order] if isinstance(event, UnitsSold) else 0
            rest = {name: units for name, units in stock.holds.items() if name != order}
            return replace(stock, sold=stock.sold + sold, holds=rest)
    return stock


ORDER = Aggregate(
    name="order",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Order(),
    decide=decide_order,
    evolve=evolve_order,
    takes=(PlaceOrder, AnswerLine, NoteRefusal, NotePayment),
)
STOCK = Aggregate(
    name="stock",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Stock(),
    decide=decide_stock,
    evolve=evolve_stock,
    takes=(SupplyUnits, HoldUnits, ReleaseUnits, SellUnits),
)


def hold_units(event: OrderPlaced, recorded: Recorded) -> Iterable[Send]:
    """Hold each line's units; a product called `broken` shows what an arrow's defect leads to."""
    if "broken" in event.lines:
        raise ZeroDivisionError(event.lines["broken"])
    return hold_each(event, recorded)


def hold_each(event: OrderPlaced, recorded: Recorded) -> Iterable[Send]:
    """Hold each line's units, broken products included: the arrow above, corrected."""
    return [
        Send(STOCK, product, HoldUnits(order=recorded.subject, units=units))
        for product, units in event.lines.items()
    ]


def answer_line(event: UnitsHeld | UnitsRefused, recorded: Recorded) -> Iterable[Send]:
    command = AnswerLine(product=recorded.subject, held=isinstance(event, UnitsHeld))
    return [Send(ORDER, event.order, command)]


def sell_units(event: OrderApproved, recorded: Recorded) -> Iterable[Send]:
    return [Send(STOCK, product, SellUnits(order=recorded.subject)) for product in event.products]


def release_units(event: OrderCanceled, recorded: Recorded) -> Iterable[Send]:
    return [Send(STOCK, product, ReleaseUnits(order=recorded.subject)) for product in event.products]


def note_refusal(refused: RefusedCommand) -> Iterable[Send]:
    return [Send(ORDER, refused.correlation, NoteRefusal(product=refused.subject, kind=refused.kind))]


SELLING = Process(
    name="selling",
    topic=TOPIC,
    catalogue=EVENTS,
    arrows=(
        on(OrderPlaced, then=[hold_units]),
        on(UnitsHeld, UnitsRefused, then=[answer_line]),
        on(OrderApproved, then=[sell_units]),
        on(OrderCanceled, then=[release_units]),  # compensation
    ),
    refused=note_refusal,
)
#: The process in the next release, without the defect.
CORRECTED = dataclasses.replace(SELLING, arrows=(on(OrderPlaced, then=[hold_each]), *SELLING.arrows[1:]))
TOPICS = (TOPIC, ORDER.commands, STOCK.commands, SELLING.answers, SELLING.dead_letters)
AGGREGATES: Mapping[str, Aggregate[Any]] = {"order": ORDER, "stock": STOCK}
