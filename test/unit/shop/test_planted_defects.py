"""Each defect that is planted into the shop violates a law, and the check of the laws finds it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import msgspec
import pytest
from support.simulated_shop import AGGREGATES, SimulatedShop
from support.simulated_stall import PARTITIONS
from unit.shop.test_laws import PRICE, OpenShop

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_message import CommandMessage
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.log.port import NewRecord
from bookshelf.runtime.api.ownership import created
from bookshelf.runtime.process.dead_letters import ProcessLetters, read_letter
from bookshelf.shop import credit, invoice, ordering, stock
from bookshelf.shop.events import CreditReserved, StockTaken
from bookshelf.shop.invoice import INVOICE, vat_sums
from bookshelf.shop.invoicing import Seller, invoicing
from bookshelf.shop.money import Money
from bookshelf.shop.order_commands import CancelOrder
from bookshelf.shop.order_events import OrderApproved, OrderFinalized
from bookshelf.shop.payment_events import InvoiceWritten, Numbered
from bookshelf.shop.product import AddProduct, ChangeProduct
from bookshelf.shop.series import SERIES, Number
from bookshelf.shop.stock import STOCK
from bookshelf.shop.values import BoughtLine, ProductDetails

ORDERING, INVOICING = ordering.ordering("EUR"), invoicing(Seller("Shop"))
Decide = Callable[[Any, Any], list[Event]]


def deciding(aggregate: Aggregate[Any], decide: Decide) -> Aggregate[Any]:
    """Return an aggregate that decides otherwise."""
    return replace(aggregate, decide=decide)


def with_arrows(**changed: tuple[Callable[..., Any], ...]) -> Process:
    """Return the process of ordering with other arrows from the events of these names."""
    arrows = tuple(
        on(*arrow.events, then=list(changed.get(arrow.events[0].__name__, arrow.then)))
        for arrow in ORDERING.arrows
        if changed.get(arrow.events[0].__name__, arrow.then)
    )
    return replace(ORDERING, arrows=arrows)


def test_prices_that_are_not_checked() -> None:
    def decide(state: stock.Stock, command: Command) -> list[Event]:
        if isinstance(command, stock.ReserveStock):
            command = msgspec.structs.replace(command, price=None)
        return stock.decide(state, command)

    opened = OpenShop(SimulatedShop(deciding(STOCK, decide)))
    opened.shop.ask("product", "p-1", ChangeProduct(price=Money(1, "EUR")))
    opened.shop.run()
    opened.place("a-1", {"p-1": 1})
    opened.rest()
    assert 7 in opened.shop.broken()


class ReversedStock(SimulatedShop):
    """The commands of stock overtake each other."""

    def _read(self, name: str, topic: str, partition: int, most: int) -> list[Any]:
        records = super()._read(name, topic, partition, most)
        return records[::-1] if topic == STOCK.commands else records


def test_a_release_that_comes_before_its_reservation() -> None:
    opened = OpenShop(ReversedStock())
    order = opened.place("a-1", {"p-1": 1})
    shop = opened.shop
    for partition in range(PARTITIONS):
        shop.own("order", partition)
    for partition in range(PARTITIONS):
        shop.act_as("ordering", partition)
    shop.ask("order", order, CancelOrder(customer="a-1", at=shop.now))
    for partition in range(PARTITIONS):
        shop.own("order", partition)
    for partition in range(PARTITIONS):
        shop.act_as("ordering", partition)
    opened.rest()
    assert shop.broken() == {6}


def test_units_that_are_taken_without_a_hold() -> None:
    def decide(state: stock.Stock, command: Command) -> list[Event]:
        if isinstance(command, stock.TakeStock):
            return [StockTaken(order=command.order, quantity=1)]
        return stock.decide(state, command)

    eager = with_arrows(OrderPlaced=(ordering.reserving_payment("EUR"), ordering.take_stock))
    opened = OpenShop(SimulatedShop(deciding(STOCK, decide), eager))
    opened.place("a-1", {"p-1": 1})
    opened.rest()
    assert 1 in opened.shop.broken()


def test_numbers_that_are_a_count_of_what_is_there() -> None:
    def decide(_state: object, command: Number) -> list[Event]:
        written = sum(isinstance(event, InvoiceWritten) for _, _, event in opened.shop.events())
        return [Numbered(order=command.order, number=written + 1)]

    opened = OpenShop(SimulatedShop(deciding(SERIES, decide)))
    opened.place("a-1", {"p-1": 1})
    opened.place("a-2", {"p-1": 1})
    opened.rest()
    assert 5 in opened.shop.broken()


class Forgetful(SimulatedShop):
    """The ids of commands are forgotten, as after a long time; and their origins, unless these are kept."""

    def __init__(self, *, keeps: bool) -> None:
        super().__init__()
        self._keeps = keeps

    def append(self, records: Sequence[NewRecord], own: tuple[str, int] = ("", 0)) -> None:
        super().append([self._changed(record) for record in records], own)

    def _changed(self, record: NewRecord) -> NewRecord:
        if not record.topic.endswith(".commands"):
            return record
        message = msgspec.json.decode(record.value, type=CommandMessage)
        origin = message.origin if self._keeps else ""
        message = msgspec.structs.replace(message, id=self._ids.new(), origin=origin)
        return msgspec.structs.replace(record, value=msgspec.json.encode(message))


@pytest.mark.parametrize("keeps", [False, True])
def test_origins_that_are_not_kept(*, keeps: bool) -> None:
    opened = OpenShop(Forgetful(keeps=keeps))
    opened.place("a-1", {"p-1": 1})
    opened.rest()
    for name in ("ordering", "invoicing"):
        for partition in range(PARTITIONS):
            opened.shop.lose(name, "shop", partition, 0)
    opened.rest()
    assert opened.shop.broken() == (set() if keeps else {1, 3, 5, 9})


class Unsafe(SimulatedShop):
    """Notes what was consumed before the append, and stops once between the two."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = False

    def append(self, records: Sequence[NewRecord], own: tuple[str, int] = ("", 0)) -> None:
        lost = self.stops and any(record.topic == STOCK.commands for record in records)
        self.stops = self.stops and not lost
        super().append([] if lost else records, own)


def test_offsets_that_are_written_before_the_commands() -> None:
    unsafe = Unsafe()
    opened = OpenShop(unsafe)
    opened.place("a-1", {"p-1": 1})
    while not any(isinstance(event, OrderApproved) for _, _, event in unsafe.events()):
        for partition in range(PARTITIONS):
            for name in AGGREGATES:
                unsafe.own(name, partition)
        if not any(isinstance(event, OrderApproved) for _, _, event in unsafe.events()):
            for partition in range(PARTITIONS):
                unsafe.act_as("ordering", partition)
    unsafe.stops = True
    opened.rest()
    assert unsafe.broken() == {6}


class Unmindful(ProcessLetters):
    """Dead letters that forget which positions they have set aside."""

    def knows(self, topic: str, offset: int) -> bool:  # noqa: ARG002 (as declared)
        return False


class WithLetters(SimulatedShop):
    """A shop whose arrows may fail; the dead letters remember what they were, if these are kept."""

    def __init__(self, *, keeps: bool) -> None:
        self.fails, self._kind = True, ProcessLetters if keeps else Unmindful
        arrows = [replace(arrow, then=tuple(map(self._failing, arrow.then))) for arrow in INVOICING.arrows]
        super().__init__(replace(INVOICING, arrows=tuple(arrows)))

    def _failing(self, arrow: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(arrow)
        def perhaps(event: Event, recorded: Recorded) -> Iterable[Send]:
            if self.fails:
                raise RuntimeError(arrow.__name__)
            yield from arrow(event, recorded)

        return perhaps

    def letters(self, partition: int) -> ProcessLetters:
        letters = self._kind()
        for record in self.log[self.process.dead_letters, partition]:
            event, time = read_letter(record)
            letters.apply(record.key, event, record.offset, time)
        return letters

    def act_as(self, name: str, partition: int, most: int = 500) -> bool:
        self.process = process = self._processes[name]
        topics = (process.topic, process.answers, process.dead_letters)
        worked = [self.act(topic, partition, most) for topic in topics]
        return any(worked)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_dead_letter_that_is_processed_twice(*, keeps: bool) -> None:
    shop = WithLetters(keeps=keeps)
    opened = OpenShop(shop)
    opened.place("a-1", {"p-1": 1})
    opened.rest()
    assert shop.broken() == {4}  # its invoice is a dead letter
    shop.fails, shop.process = False, shop._processes["invoicing"]  # noqa: SLF001 (its own)
    shop.retry()
    opened.rest()
    assert shop.broken() == set()
    for partition in range(PARTITIONS):
        shop.lose("invoicing", "shop", partition, 0)
    opened.rest()
    assert shop.broken() == (set() if keeps else {5})


def test_a_hold_that_outlives_its_order() -> None:
    opened = OpenShop(SimulatedShop(with_arrows(OrderCanceled=(ordering.release_payment,))))
    opened.place("a-1", {"p-1": 1, "p-9": 1})
    opened.rest()
    assert opened.shop.broken() == {6}


def test_a_credit_that_is_cut_off_at_nothing() -> None:
    def decide(state: credit.Credit, command: Command) -> list[Event]:
        if isinstance(command, credit.ReserveCredit) and command.amount.amount > state.available:
            return [CreditReserved(order=command.order, amount=Money(state.available, "EUR"))]
        return credit.decide(state, command)

    opened = OpenShop(SimulatedShop(deciding(credit.CREDIT, decide)))
    opened.shop.ask("credit", "a-1", credit.SetCredit(amount=Money(100, "EUR")))
    opened.shop.run()
    opened.place("a-1", {"p-1": 1})
    opened.rest()
    assert opened.shop.broken() == {3}


@pytest.mark.parametrize("planted", [True, False])
def test_a_key_that_is_not_the_persons_own(*, planted: bool) -> None:
    opened = OpenShop()
    for customer in ("a-1", "a-2"):
        if planted:
            opened._place(f"o-{created('k')}", customer, {"p-1": 1}, "credit", priced=True, made="k")  # noqa: SLF001
        else:
            opened.place_by_key(customer, "k", {"p-1": 1})
            opened.place_by_key(customer, "k", {"p-1": 1})
    customers = sorted(order.terms.customer for order in opened.rest().values())
    assert customers == (["a-1"] if planted else ["a-1", "a-2"])


def test_a_cart_that_is_emptied_at_the_approval() -> None:
    def clear_cart(event: OrderApproved, recorded: Any) -> Any:  # noqa: ANN401 (as an arrow)
        lines = tuple(
            BoughtLine(product=line.product, quantity=line.quantity, name="", price=PRICE, vat_permille=0)
            for line in event.lines
        )
        final = OrderFinalized(terms=event.terms, lines=lines, total=event.total, at=event.at)
        yield from ordering.clear_cart(final, recorded)

    early = with_arrows(
        OrderApproved=(ordering.take_stock, ordering.take_payment, clear_cart), OrderFinalized=()
    )
    opened = OpenShop(SimulatedShop(early))
    while (order := opened.place("a-1", {"p-2": 1}, "late")) and not opened.rest()[order].stalled:
        assert opened.placed < 3
    opened.carry_out(("cancel", opened.placed, True))
    assert opened.rest()[order].status == "CANCELED"
    assert opened.shop.broken() == {9}


def test_vat_that_is_rounded_by_line() -> None:
    def decide(state: invoice.Invoice, command: Command) -> list[Event]:
        events = invoice.decide(state, command)
        for number, event in enumerate(events):
            if isinstance(event, InvoiceWritten):
                sums = [vat_sums([line])[0] for line in event.lines]
                gross, vat = (sum(getattr(rate, name) for rate in sums) for name in ("gross", "vat"))
                rate = msgspec.structs.replace(sums[0], gross=gross, vat=vat, net=gross - vat)
                events[number] = msgspec.structs.replace(event, vat=(rate,))
        return events

    opened = OpenShop(SimulatedShop(deciding(INVOICE, decide)))
    for product in ("p-3", "p-4"):
        details = ProductDetails(name=product, vat_permille=70)
        opened.shop.ask("product", product, AddProduct(details=details, price=Money(8, "EUR"), units=3))
    opened.shop.run()
    opened.place("a-1", {"p-3": 1, "p-4": 1}, priced=False)
    opened.rest()
    assert opened.shop.broken() == {12}


@pytest.mark.parametrize("planted", [True, False])
def test_an_unknown_product_that_is_refused_without_an_event(*, planted: bool) -> None:
    def decide(state: stock.Stock, command: Command) -> list[Event]:
        if planted and isinstance(command, stock.ReserveStock) and state.price is None:
            raise NotFound("there is no such product")
        return stock.decide(state, command)

    opened = OpenShop(SimulatedShop(deciding(STOCK, decide)))
    shop = opened.shop
    order = opened.place("a-1", {"p-9": 1})
    reasons = [reason.code for reason in opened.rest()[order].reasons]
    assert reasons == ["held-back" if planted else "unknown-product"]
    shop.ask("product", "p-9", AddProduct(details=ProductDetails(name="late"), price=PRICE, units=1))
    shop.run()
    size = shop.size()
    for partition in range(PARTITIONS):
        shop.lose("stock", STOCK.commands, partition, 0)
    shop.run()
    assert (shop.size() > size) is planted  # law 10: what was refused is promised now
