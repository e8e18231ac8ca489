"""The golden log of the shop: what was written can be read, and folds to the states that it always did."""

from collections.abc import Iterator

import msgspec
import pytest
from support.process import ROOT
from support.simulated_shop import AGGREGATES

from bookshelf.cqrs.envelope import decode_envelope, encode_envelope
from bookshelf.cqrs.message import Event
from bookshelf.shop.credit import CREDIT, Credit
from bookshelf.shop.events import EVENTS
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.stock import STOCK, Stock
from bookshelf.shop.values import VatSum

LINES = (ROOT / "test/fixtures/golden/shop.jsonl").read_bytes().splitlines()
ENVELOPES = [decode_envelope(line) for line in LINES]


def events_of(subject: str) -> Iterator[Event]:
    for envelope in ENVELOPES:
        event = EVENTS.decode(envelope.type, bytes(envelope.data))
        if envelope.subject == subject and event is not None:
            yield event


def test_every_field_of_every_event_has_a_golden_value() -> None:
    for event in EVENTS:
        written = {name for e in ENVELOPES if e.type == event.TYPE for name in msgspec.json.decode(e.data)}
        assert written == {field.name for field in msgspec.structs.fields(event)}, event


def test_what_is_written_today_has_the_same_bytes() -> None:
    kinds = {kind.TYPE: kind for kind in EVENTS}
    for line, envelope in zip(LINES, ENVELOPES, strict=True):
        assert encode_envelope(envelope) == line
        event = msgspec.json.decode(envelope.data, type=kinds[envelope.type])
        assert msgspec.json.encode(event) == bytes(envelope.data)


def test_the_golden_log_folds_to_the_states_that_it_always_folded_to() -> None:
    order = ORDER.fold(events_of("o-1"))
    assert (order.status, order.total, order.tracking) == ("FINALIZED", Money(3998, "EUR"), "RR123456785DE")
    assert [reason.code for reason in ORDER.fold(events_of("o-3")).reasons] == [
        "out-of-stock",
        "unknown-product",
        "insufficient-credit",
    ]
    assert STOCK.fold(events_of("p-1")) == Stock(
        price=Money(1999, "EUR"), name="Dune (1965)", vat_permille=70, units=3
    )
    assert CREDIT.fold(events_of("a-1")) == Credit(currency="EUR", balance=10_152, given=True, used=True)
    invoice = INVOICE.fold(events_of("o-1"))
    assert (invoice.number, invoice.address) == (
        "2026-000001",
        "\x02shop_invoice_address:c2VhbGVk:invoices-2026",
    )
    written = [event for event in events_of("o-1") if hasattr(event, "vat")]
    assert [event.vat for event in written] == [(VatSum(permille=70, gross=3998, vat=262, net=3736),)]


@pytest.mark.parametrize("name", sorted(AGGREGATES))
def test_events_that_an_aggregate_does_not_fold_change_no_state_of_it(name: str) -> None:
    aggregate = AGGREGATES[name]
    for subject in {envelope.subject for envelope in ENVELOPES}:
        events = list(events_of(subject))
        folded = [event for event in events if isinstance(event, aggregate.folds)]
        assert aggregate.fold(events) == aggregate.fold(folded)
