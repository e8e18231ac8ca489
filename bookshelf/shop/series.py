"""A series of numbers without a gap: the invoices of one year. Its key is `invoices-YEAR`."""

from typing import ClassVar

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.payment_events import SERIES_EVENTS, Numbered


class Number(Command, frozen=True, kw_only=True):
    """Give an order the next number; each command is for another order."""

    TYPE: ClassVar[str] = "shop.number.v1"
    order: str


class Series(State, frozen=True):
    """The last number of a series."""

    last: int = 0


def decide(state: Series, command: Command) -> list[Event]:
    """Return the event of the next number. A repetition is recognised by its origin alone."""
    match command:
        case Number(order=order):
            return [Numbered(order=order, number=state.last + 1)]
    return []


def evolve(state: Series, event: Event) -> Series:
    """Return the series after an event."""
    match event:
        case Numbered(number=number):
            return Series(last=number)
    return state


SERIES = Aggregate(
    name="series",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Series(),
    decide=decide,
    evolve=evolve,
    takes=(Number,),
    folds=SERIES_EVENTS,
)
