"""The check of the laws: what the simulation leaves holds, and each planted violation is found."""

from datetime import timedelta
from itertools import product
from typing import Any

import msgspec
import pytest
from support.simulated_shop import SimulatedShop
from support.simulated_stall import PARTITIONS
from unit.shop.test_laws import PRICE, OpenShop

from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.message import Event
from bookshelf.log.port import partition_of
from bookshelf.shop import events as shop
from bookshelf.shop.cart import cart_key
from bookshelf.shop.check.laws import Moment, ShopReport, check_laws, report
from bookshelf.shop.check.ledger import Ledger
from bookshelf.shop.money import Money
from bookshelf.shop.order_events import OrderCanceled, OrderFinalized, OrderPlaced, OrderPriced, Terms
from bookshelf.shop.payment_events import InvoiceWritten, Numbered
from bookshelf.shop.values import OrderLine, Reason

EUROS = Money(1500, "EUR")
FINAL, CANCELED, BY_CARD = "o-1", "o-2", "o-3"
Records = list[list[tuple[str, bytes]]]


def records_of(simulated: SimulatedShop) -> Records:
    return [
        [(record.key, record.value) for record in simulated.log[shop.TOPIC, partition]]
        for partition in range(PARTITIONS)
    ]


def checked(records: Records, *, at_rest: bool = True, later: timedelta = timedelta(0)) -> ShopReport:
    ledger = Ledger()
    for partition, parts in enumerate(records):
        for offset, (key, value) in enumerate(parts):
            ledger.add(partition, offset, key, value)
    check_laws(ledger, Moment(None if at_rest else ledger.last + later))
    return report(ledger)


def broken(found: ShopReport) -> set[int]:
    return {law.law for law in found.laws if law.violations}


@pytest.fixture(scope="module")
def history() -> Records:
    """A shop at rest: an order that is final, one that is canceled, and one paid by card."""
    opened = OpenShop()
    opened.place("a-1", {"p-1": 2})
    opened.rest()
    opened.place("a-2", {"p-1": 2, "p-9": 1})
    opened.place("a-2", {"p-2": 1}, "good")
    orders = opened.rest()
    assert [orders[name].status for name in (FINAL, CANCELED, BY_CARD)] == [
        "FINALIZED",
        "CANCELED",
        "FINALIZED",
    ]
    return records_of(opened.shop)


def forged(records: Records, key: str, event: Event, **fields: Any) -> Records:  # noqa: ANN401 (of the envelope)
    """Append an event to the records."""
    partition = partition_of(key, PARTITIONS)
    last = decode_envelope(records[partition][-1][1])
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=fields.pop("id", "forged"),
        source=fields.pop("source", "test"),
        type=event.TYPE,
        subject=key,
        time=last.time,
        data=msgspec.Raw(msgspec.json.encode(event)),
        actor="forger",
        **fields,
    )
    return [
        [*parts, (key, encode_envelope(envelope))] if number == partition else parts
        for number, parts in enumerate(records)
    ]


def found_in(records: Records, kind: type[Any], key: str) -> Any:  # noqa: ANN401 (an event of this kind)
    """Return the one event of a kind and key."""
    [event] = [
        shop.EVENTS.decode(kind.TYPE, bytes(decode_envelope(value).data))
        for parts in records
        for name, value in parts
        if name == key and decode_envelope(value).type == kind.TYPE
    ]
    return event


def without(records: Records, kind: type[Event], key: str) -> Records:
    """Return the records without those of a kind and key."""
    return [
        [part for part in parts if (part[0], decode_envelope(part[1]).type) != (key, kind.TYPE)]
        for parts in records
    ]


def test_a_shop_at_rest_keeps_every_law(history: Records) -> None:
    found = checked(history)
    assert (found.violations, broken(found), found.unreadable) == (0, set(), ())
    counted = {law.law: law.log for law in found.laws}
    assert counted[1] == {"products": 2, "units": 3, "held": 0, "sold": 3}
    assert counted[3] == {"given": 20_000, "balance": 17_000, "paid": 4500, "invoiced": 4500}
    assert counted[4] == {"final": 2, "invoices": 2}
    assert counted[6] == {"orders": 3, "final": 2, "canceled": 1, "open": 0}


RESERVED = shop.StockReserved(order=FINAL, quantity=9, price=PRICE, name="p-1", vat_permille=70)
REFUSED = shop.StockRefused(order="o-9", reason="out-of-stock", quantity=1, available=0)
LINES = (OrderLine("p-1", 1, PRICE),)


@pytest.mark.parametrize(
    ("law", "key", "event"),
    [
        (1, "p-1", RESERVED),
        (1, "p-1", shop.StockTaken(order=FINAL, quantity=1)),
        (1, "p-1", shop.UnitsReturned(order=CANCELED, quantity=1)),
        (2, "a-1", shop.CreditTaken(order=FINAL, amount=EUROS)),
        (2, "a-1", shop.CreditReserved(order=FINAL, amount=Money(10**6, "EUR"))),
        (2, "a-1", shop.CreditSet(amount=EUROS, former=1)),
        (3, "a-1", shop.CreditReturned(order=FINAL, amount=EUROS)),
        (5, "invoices-2026", Numbered(order="o-9", number=9)),
        (6, "o-9", OrderPlaced(terms=Terms(customer="a-1"), lines=LINES, at=OpenShop().shop.now)),
        (6, "p-1", msgspec.structs.replace(RESERVED, quantity=1)),
        (7, FINAL, OrderPriced(terms=Terms(customer="a-1"), total=EUROS)),
        (7, "p-1", REFUSED),
        (7, "p-1", msgspec.structs.replace(RESERVED, quantity=1, price=Money(1, "EUR"))),
        (7, "a-1", shop.CreditRefused(order="o-9", reason="insufficient-credit", needed=1, available=0)),
        (8, FINAL, OrderPlaced(terms=Terms(customer="a-1"), lines=LINES, at=OpenShop().shop.now)),
        (9, cart_key("a-1"), shop.CartOrdered(order=CANCELED, lines=LINES)),
    ],
    ids=lambda value: value.TYPE if isinstance(value, Event) else str(value),
)
def test_a_planted_record_is_found(history: Records, law: int, key: str, event: Event) -> None:
    assert law in broken(checked(forged(history, key, event)))


def test_a_second_or_missing_or_altered_invoice_is_found(history: Records) -> None:
    written = found_in(history, InvoiceWritten, FINAL)
    assert broken(checked(forged(history, FINAL, written))) == {4}
    assert 4 in broken(checked(forged(history, CANCELED, written)))
    assert broken(checked(without(history, InvoiceWritten, FINAL))) == {4}
    bare = without(history, InvoiceWritten, FINAL)
    replace = msgspec.structs.replace
    assert broken(checked(forged(bare, FINAL, replace(written, lines=())))) == {4, 12}
    assert broken(checked(forged(bare, FINAL, replace(written, number="2026-000009")))) == {5}
    [rate] = written.vat
    assert broken(checked(forged(bare, FINAL, replace(written, vat=(replace(rate, vat=1),))))) == {12}
    assert broken(checked(forged(bare, FINAL, written))) == set()


def test_an_order_that_ends_otherwise_than_it_was_agreed_is_found(history: Records) -> None:
    final = found_in(history, OrderFinalized, FINAL)
    bare = without(without(history, OrderFinalized, FINAL), InvoiceWritten, FINAL)
    [line] = final.lines
    other = msgspec.structs.replace(line, price=Money(1, "EUR"))
    event = msgspec.structs.replace(final, lines=(other,), total=Money(2, "EUR"))
    assert {4, 7} <= broken(checked(forged(bare, FINAL, event)))


def test_a_reason_that_no_part_has_given_is_found(history: Records) -> None:
    canceled = found_in(history, OrderCanceled, CANCELED)
    bare = without(history, OrderCanceled, CANCELED)
    reasons = (Reason(code="out-of-stock", product="p-1", wanted=2, available=0),)
    event = msgspec.structs.replace(canceled, reasons=reasons)
    assert broken(checked(forged(bare, CANCELED, event))) == {7}
    assert broken(checked(forged(bare, CANCELED, canceled))) == set()


def test_a_credit_refuses_what_it_could_pay_in_another_currency_only(history: Records) -> None:
    terms, at = Terms(customer="a-1"), OpenShop().shop.now
    cases = product(("other-currency", "unknown-customer"), (("USD", {6}), ("EUR", {6, 7})))
    for reason, (currency, laws) in cases:  # it stays open
        refused = shop.CreditRefused(order="o-9", reason=reason, needed=1, available=7000)
        total = Money(1, currency)
        placed = OrderPlaced(terms=terms, lines=LINES, total=total, at=at)
        assert broken(checked(forged(forged(history, "o-9", placed), "a-1", refused))) == laws
        placed = OrderPlaced(terms=terms, lines=LINES, at=at)
        priced = forged(forged(history, "o-9", placed), "o-9", OrderPriced(terms=terms, total=total))
        assert broken(checked(forged(priced, "a-1", refused))) == laws


def test_a_step_that_was_carried_out_twice_is_found(history: Records) -> None:
    event = shop.LineRemoved(product="p-1")
    once = forged(history, cart_key("a-1"), event, source="cart", origin="ordering:shop/0@1", id="x")
    assert broken(checked(once)) == {9}  # a process takes lines out for orders only
    twice = forged(once, cart_key("a-1"), event, source="cart", origin="ordering:shop/0@1", id="y")
    assert broken(checked(twice)) == {9, 10}


def test_a_key_that_has_led_to_two_orders_is_found(history: Records) -> None:
    placed = [
        decode_envelope(value)
        for parts in history
        for key, value in parts
        if key == FINAL and decode_envelope(value).type == OrderPlaced.TYPE
    ]
    event = found_in(history, OrderPlaced, FINAL)
    assert 8 in broken(checked(forged(history, "o-9", event, commandid=placed[0].commandid)))


def test_what_is_on_its_way_is_no_violation_before_its_time(history: Records) -> None:
    opened = OpenShop()
    opened.place("a-1", {"p-1": 1})
    for name in ("order", "stock"):
        for partition in range(PARTITIONS):
            opened.shop.own(name, partition, 9)
            opened.shop.act_as("ordering", partition)
    records = records_of(opened.shop)
    assert broken(checked(records, at_rest=False)) == set()
    assert broken(checked(records)) == {6}
    assert broken(checked(records, at_rest=False, later=timedelta(minutes=2))) == {6}
    late = without(history, InvoiceWritten, BY_CARD)
    assert broken(checked(late, at_rest=False)) == set()
    assert broken(checked(late, at_rest=False, later=timedelta(minutes=2))) == {4}


def test_a_record_that_cannot_be_read_is_reported(history: Records) -> None:
    found = checked([[*history[0], ("p-1", b"\xff")], *history[1:]])
    assert (found.violations, broken(found)) == (1, set())
    [text] = found.unreadable
    assert f"shop/0@{len(history[0])} p-1" in text


def test_descriptions_end_at_a_hundred_and_the_number_does_not(history: Records) -> None:
    records = history
    for _ in range(150):
        records = forged(records, "p-2", shop.StockTaken(order=FINAL, quantity=1))
    [law] = [law for law in checked(records).laws if law.law == 1]
    assert (law.violations >= 150, len(law.described)) == (True, 100)
