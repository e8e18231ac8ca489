"""The shop without an event loop: real deciders and processes over lists of records (simulated_stall.py).

The card provider answers by the token of the card alone, so its connector is a process here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from support.fixed_infrastructure import CountedIds
from support.simulated_stall import PARTITIONS, SimulatedStall

from bookshelf.accounts.events import AccountOpened
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.log.port import NewRecord
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.shop import payment
from bookshelf.shop.cart import CART
from bookshelf.shop.category import CATEGORY
from bookshelf.shop.check.laws import Moment, check_laws
from bookshelf.shop.check.ledger import Ledger
from bookshelf.shop.credit import CREDIT
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.invoicing import Seller, invoicing
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import ExpireOrder
from bookshelf.shop.ordering import ordering
from bookshelf.shop.payment import PAYMENT
from bookshelf.shop.payment_events import CaptureRequested, PaymentRequested, VoidRequested
from bookshelf.shop.product import PRODUCT
from bookshelf.shop.series import SERIES
from bookshelf.shop.stock import STOCK
from bookshelf.shop.welcome import welcoming

#: The deadline's command comes from the service itself; here it is one of the commands in the topic.
ORDERS = replace(ORDER, takes=(*ORDER.takes, ExpireOrder))
AGGREGATES: Mapping[str, Aggregate[Any]] = {
    aggregate.name: aggregate
    for aggregate in (PRODUCT, CATEGORY, STOCK, CREDIT, CART, ORDERS, PAYMENT, SERIES, INVOICE)
}


def authorize(event: PaymentRequested, recorded: Recorded) -> Iterable[Send]:
    """Decline the card `bad`."""
    note: Command = payment.NoteAuthorized(authorization=event.card)
    if event.card == "bad":
        note = payment.NoteDeclined(decline="lost")
    yield Send(PAYMENT, recorded.subject, note)


def capture(event: CaptureRequested, recorded: Recorded) -> Iterable[Send]:
    """Decline the captures of the card `late` at every second place in the log."""
    declined = event.authorization == "late" and recorded.offset % 2 == 0
    note = payment.NoteCaptureDeclined(decline="lost") if declined else payment.NoteCaptured()
    yield Send(PAYMENT, recorded.subject, note)


def void(_event: VoidRequested, recorded: Recorded) -> Iterable[Send]:
    """Void whatever there is."""
    yield Send(PAYMENT, recorded.subject, payment.NoteVoided())


ORDERING = ordering("EUR")
CARDS = Process(
    name="cards",
    topic=TOPIC,
    catalogue=EVENTS,
    arrows=(
        on(PaymentRequested, then=[authorize]),
        on(CaptureRequested, then=[capture]),
        on(VoidRequested, then=[void]),
    ),
)
PROCESSES = {
    process.name: process for process in (ORDERING, CARDS, welcoming("EUR"), invoicing(Seller("Shop")))
}


class SimulatedShop(SimulatedStall):
    """The log of a shop with all its processes; its caller decides what goes on."""

    def __init__(self, *defective: Aggregate[Any] | Process) -> None:
        """Have these in place of the ones of their names."""
        aggregates = {part.name: part for part in defective if isinstance(part, Aggregate)}
        super().__init__(ORDERING, {**AGGREGATES, **aggregates})
        self._processes = {
            **PROCESSES,
            **{part.name: part for part in defective if isinstance(part, Process)},
        }
        self._commands = CountedIds()

    @property
    def now(self) -> datetime:
        """The time of the shop."""
        return self._clock.now()

    def ask(self, to: str, subject: str, command: Command, made: str = "") -> None:
        """Send a command of a client, with this id."""
        made = made or self._commands.new()
        at = self.now
        message = command_message(AGGREGATES[to], command, id=made, source="test", subject=subject, time=at)
        self.send(message)

    def open_account(self, account: str) -> None:
        """Append that an account was opened."""
        envelope = Envelope(
            specversion="1.0",
            datacontenttype="application/json",
            id=self._commands.new(),
            source="account",
            type=AccountOpened.TYPE,
            subject=account,
            time=self.now,
            data=msgspec.Raw(b"{}"),
            actor=account,
        )
        self.append([NewRecord(account, encode_envelope(envelope), "accounts")])

    def act_as(self, name: str, partition: int, most: int = 500) -> bool:
        """Let a process make a step of its events and refusals; return if there were any."""
        self.process = process = self._processes[name]
        worked = [self.act(topic, partition, most) for topic in (process.topic, process.answers)]
        assert not len(self.letters(partition)), "no arrow raises"
        return any(worked)

    def run(self) -> None:
        """Go on until nothing is left to do."""
        for _ in range(500):
            worked = [self.own(name, p) for name in AGGREGATES for p in range(PARTITIONS)]
            worked += [self.act_as(name, p) for name in PROCESSES for p in range(PARTITIONS)]
            if not any(worked):
                return
        raise AssertionError("it does not come to rest")

    def expire(self) -> None:
        """Carry out the deadlines that have passed."""
        assert ORDER.due is not None
        for order, state in self.states()["order"].items():
            end = ORDER.due(state)
            if end is not None and end[0] <= self.now:
                self.ask("order", order, end[1])

    def events(self) -> list[tuple[str, str, Event]]:
        """Return what was appended, partition by partition: the aggregate's name, the key, the event."""
        found = []
        for partition in range(PARTITIONS):
            for record in self.log[TOPIC, partition]:
                envelope = decode_envelope(record.value)
                event = EVENTS.decode(envelope.type, bytes(envelope.data))
                if event is not None:  # else a command that led to no event
                    found.append((envelope.source, record.key, event))
        return found

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the states of all aggregates by name and key; check what holds at each record."""
        states: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for _, key, event in self.events():
            for name, aggregate in AGGREGATES.items():
                if type(event) in aggregate.folds:
                    folded = states[name]
                    folded[key] = aggregate.evolve(folded.get(key, aggregate.initial), event)
            check_holds(states)
        return states

    def ledger(self) -> Ledger:
        """Return what the records add up to."""
        ledger = Ledger()
        for partition in range(PARTITIONS):
            for record in self.log[TOPIC, partition]:
                ledger.add(partition, record.offset, record.key, record.value)
        return ledger

    def broken(self) -> set[int]:
        """Return the laws that do not hold although everything should be at rest."""
        ledger = self.ledger()
        check_laws(ledger, Moment(None))
        return set(ledger.found)

    def size(self) -> int:
        """Return the number of the records of the topic."""
        return sum(len(self.log[TOPIC, partition]) for partition in range(PARTITIONS))


def check_holds(states: Mapping[str, Mapping[str, Any]]) -> None:
    """Check the first halves of laws 1 and 2: nothing is promised twice."""
    for stock in states["stock"].values():
        assert 0 <= stock.held == sum(stock.holds.values()) <= stock.units
    for credit in states["credit"].values():
        assert 0 <= credit.held == sum(credit.holds.values()) <= credit.balance


def counted(events: Iterable[tuple[str, str, Event]], kind: type[Event]) -> Counter[str]:
    """Return how often each key has an event."""
    return Counter(key for _, key, event in events if isinstance(event, kind))
