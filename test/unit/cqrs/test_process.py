"""A process is a table of arrows: from one event to the commands that it leads to."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from support.fixed_infrastructure import NOW
from support.spec import on_event, on_refusal
from support.stall import (
    EVENTS,
    ORDER,
    SELLING,
    STOCK,
    AnswerLine,
    HoldUnits,
    NoteRefusal,
    OrderCanceled,
    OrderPlaced,
    ReleaseUnits,
    UnitsHeld,
    UnitsRefused,
    UnitsSupplied,
)

from bookshelf.cqrs.catalogue import Catalogue, Upcast
from bookshelf.cqrs.process import Arrow, RefusedCommand, Send, SentTwice, on
from bookshelf.cqrs.view import Recorded

REFUSED = RefusedCommand(
    to="stock",
    subject="tea",
    type=HoldUnits.TYPE,
    id="selling-stall-0-7-0",
    kind="conflict",
    detail="thirteen is never held",
    correlation="o1",
    actor="ann",
    time=NOW,
)


def test_an_event_leads_to_the_commands_of_its_arrows() -> None:
    on_event(SELLING, OrderPlaced(lines={"tea": 2, "cup": 1}), subject="o1").sends(
        Send(STOCK, "tea", HoldUnits(order="o1", units=2)),
        Send(STOCK, "cup", HoldUnits(order="o1", units=1)),
    )
    on_event(SELLING, OrderCanceled(products=("cup",)), subject="o1").sends(
        Send(STOCK, "cup", ReleaseUnits(order="o1"))
    )


@pytest.mark.parametrize(
    ("event", "held"), [(UnitsHeld(order="o1", units=2), True), (UnitsRefused(order="o1"), False)]
)
def test_one_row_can_be_for_several_events(event: UnitsHeld | UnitsRefused, held: bool) -> None:  # noqa: FBT001
    on_event(SELLING, event, subject="tea").sends(Send(ORDER, "o1", AnswerLine(product="tea", held=held)))


def test_an_event_without_an_arrow_leads_to_nothing() -> None:
    on_event(SELLING, UnitsSupplied(units=3), subject="tea").sends()


def test_a_refusal_leads_to_the_commands_of_its_arrow() -> None:
    on_refusal(SELLING, REFUSED).sends(Send(ORDER, "o1", NoteRefusal(product="tea", kind="conflict")))
    on_refusal(replace(SELLING, refused=None), REFUSED).sends()


def test_a_command_that_its_aggregate_does_not_take_is_refused_when_it_is_made() -> None:
    with pytest.raises(TypeError, match="order does not take HoldUnits by topic: add it to its `takes`"):
        Send(ORDER, "o1", HoldUnits(order="o1", units=1))


def once(_event: OrderPlaced, recorded: Recorded) -> Iterable[Send]:
    return [Send(STOCK, "tea", ReleaseUnits(order=recorded.subject))]


def twice(event: OrderPlaced, recorded: Recorded) -> Iterable[Send]:
    return [*once(event, recorded), *once(event, recorded)]


@pytest.mark.parametrize("then", [[twice], [once, once]])
def test_one_event_sends_at_most_one_command_to_one_instance(then: list[Arrow]) -> None:
    process = replace(SELLING, arrows=(on(OrderPlaced, then=then),))
    with pytest.raises(SentTwice, match="sends a second command to stock tea after one record"):
        on_event(process, OrderPlaced(lines={}), subject="o1")


def test_instances_of_two_aggregates_may_have_one_id() -> None:
    def both(_event: OrderPlaced, _recorded: Recorded) -> Iterable[Send]:
        return [
            Send(STOCK, "x", ReleaseUnits(order="o1")),
            Send(ORDER, "x", AnswerLine(product="tea", held=True)),
        ]

    process = replace(SELLING, arrows=(on(OrderPlaced, then=[both]),))
    on_event(process, OrderPlaced(lines={}), subject="o1").sends(
        Send(STOCK, "x", ReleaseUnits(order="o1")),
        Send(ORDER, "x", AnswerLine(product="tea", held=True)),
    )


def test_an_event_that_the_catalogue_lacks_is_refused_when_the_process_is_made() -> None:
    with pytest.raises(ValueError, match="selling: OrderPlaced is not in the catalogue of topic stall"):
        replace(
            SELLING, catalogue=Catalogue(UnitsHeld, UnitsRefused), arrows=(on(OrderPlaced, then=[twice]),)
        )


@pytest.mark.parametrize("name", ["", "Selling", "sell.ing", "sell ing", "-selling"])
def test_a_name_that_no_topic_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a process"):
        replace(SELLING, name=name)


def test_retired_types_are_read_as_the_events_that_they_become() -> None:
    assert EVENTS.types_read_as([UnitsHeld]) == {UnitsHeld.TYPE}
    lifted = Catalogue(
        UnitsHeld, UnitsRefused, upcasts=(Upcast("stall.units-held.v0", UnitsHeld, lambda data: data),)
    )
    assert lifted.types_read_as([UnitsHeld]) == {UnitsHeld.TYPE, "stall.units-held.v0"}
