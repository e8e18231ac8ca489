"""docs/processes.md: the table of arrows, what commands lead to, and cycles, read from the code."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from support.charging import CHARGING
from support.stall import (
    ORDER,
    SELLING,
    STOCK,
    AnswerLine,
    HoldUnits,
    LineAnswered,
    NoteRefusal,
    OrderApproved,
    OrderCanceled,
    OrderPlaced,
    ReleaseUnits,
    SellUnits,
    SupplyUnits,
    UnitsHeld,
    UnitsRefused,
    UnitsReleased,
)

from bookshelf.cqrs.process import Send, on
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.view import Recorded
from bookshelf.runtime.process.document import cycles_of, events_of, processes_page, rows_of, sends_of
from bookshelf.services import SERVICES


def hold_again(event: UnitsReleased, recorded: Recorded) -> Iterable[Send]:
    return [Send(STOCK, recorded.subject, HoldUnits(order=event.order, units=1))]


def release_at_once(event: UnitsHeld, recorded: Recorded) -> Iterable[Send]:
    return [Send(STOCK, recorded.subject, ReleaseUnits(order=event.order))]


def supply(event: UnitsHeld, recorded: Recorded) -> Iterable[Send]:
    command = SupplyUnits(units=event.units) if event.units else ReleaseUnits(order=event.order)
    return [Send(STOCK, recorded.subject, command)]


def test_every_arrow_of_the_project_names_what_it_sends() -> None:
    for service in SERVICES:
        for sender in service.senders:
            assert rows_of(sender)
            assert all(nothing for _, nothing in cycles_of(sender)), sender.name


def test_the_table_has_a_row_for_each_event_and_command() -> None:
    assert rows_of(SELLING) == [
        ("OrderPlaced", "hold_units", HoldUnits, STOCK),
        ("UnitsHeld", "answer_line", AnswerLine, ORDER),
        ("UnitsRefused", "answer_line", AnswerLine, ORDER),
        ("OrderApproved", "sell_units", SellUnits, STOCK),
        ("OrderCanceled", "release_units", ReleaseUnits, STOCK),
        ("a refusal", "note_refusal", NoteRefusal, ORDER),
    ]


def test_the_events_of_a_command_are_those_of_its_cases() -> None:
    assert events_of(STOCK, HoldUnits) == ([UnitsHeld, UnitsRefused], False)
    assert events_of(STOCK, ReleaseUnits) == ([UnitsReleased], True)
    assert events_of(ORDER, AnswerLine) == ([LineAnswered, OrderCanceled, OrderApproved], True)


def test_an_arrow_that_hides_its_command_is_refused() -> None:
    with pytest.raises(ValueError, match=r"supply: write Send\(AGGREGATE, subject, Command\(...\)\)"):
        sends_of(supply)


def test_cycles_are_found_and_those_without_an_end_are_marked() -> None:
    assert cycles_of(SELLING) == []
    circle = replace(
        SELLING, arrows=(on(UnitsReleased, then=[hold_again]), on(UnitsHeld, then=[release_at_once]))
    )
    [(path, nothing)] = cycles_of(circle)
    assert (path, nothing) == (["UnitsReleased", "HoldUnits", "UnitsHeld", "ReleaseUnits"], True)
    service = Service(name="stall", summary="", tags=(), port=1, runs=(circle,), serves=())
    page = processes_page((service,))
    assert "- UnitsReleased → HoldUnits → UnitsHeld → ReleaseUnits → UnitsReleased\n" in page


async def forget(_event: OrderCanceled, _recorded: Recorded, _key: str, _ports: object) -> Iterable[Send]:
    return []


def test_the_page_has_the_calls_of_a_connector_and_whether_they_send_anything() -> None:
    connector = replace(CHARGING, calls={**CHARGING.calls, OrderCanceled: forget})
    service = Service(name="stall", summary="", tags=(), port=1, runs=(connector,), serves=())
    page = processes_page((service,))
    assert "Connector. Runs in the service stall, on the topic `stall`.\n" in page
    assert "| OrderApproved | `charge` | NotePayment | order |\n" in page
    assert "| OrderCanceled | `forget` | nothing |  |\n" in page
    assert "  OrderApproved -- charge --> order_NotePayment([NotePayment])\n" in page
    assert "  order_NotePayment -. order .-> PaymentNoted\n" in page


def test_the_page_has_the_table_and_a_diagram() -> None:
    page = processes_page((Service(name="stall", summary="", tags=(), port=1, runs=(SELLING,), serves=()),))
    assert "| OrderPlaced | `hold_units` | HoldUnits | stock |\n" in page
    assert "  OrderPlaced -- hold_units --> stock_HoldUnits([HoldUnits])\n" in page
    assert "  stock_HoldUnits -. stock .-> UnitsHeld\n" in page
    assert "It has no cycles." in page
    assert OrderPlaced.__name__ in page
