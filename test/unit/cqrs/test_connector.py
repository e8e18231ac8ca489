"""A connector calls its provider for an event, and turns the answer into commands."""

from dataclasses import replace

import pytest
from support.charging import CHARGING, PORTS, CardProvider
from support.counter_context import Counted
from support.spec import on_event_called
from support.stall import ORDER, NotePayment, OrderApproved, OrderCanceled

from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.process import Send, SentTwice
from bookshelf.cqrs.service import Service, ServiceConflict, check_services


async def test_a_call_gets_the_id_of_the_event_as_key_and_returns_commands() -> None:
    provider = CardProvider()
    sent = await on_event_called(provider.connector, OrderApproved(products=()), PORTS, subject="o1", id="e7")
    assert provider.calls == [("o1", "e7")]
    sent.sends(Send(ORDER, "o1", NotePayment(receipt="receipt for e7")))


async def test_a_second_command_to_one_instance_is_a_defect() -> None:
    provider = CardProvider()

    async def twice(*args: object) -> list[Send]:
        return [*await provider.charge(*args), *await provider.charge(*args)]  # type: ignore[arg-type]

    connector = replace(provider.connector, calls={OrderApproved: twice})
    with pytest.raises(SentTwice, match="twice sends a second command to order o1"):
        await on_event_called(connector, OrderApproved(products=()), PORTS, subject="o1")


def test_a_connector_is_of_a_name_and_of_events_of_its_catalogue() -> None:
    with pytest.raises(ValueError, match="'Charging' is no name"):
        replace(CHARGING, name="Charging")
    with pytest.raises(ValueError, match="charging: Counted is not in the catalogue of topic stall"):
        replace(CHARGING, calls={Counted: CardProvider().charge})
    assert CHARGING.events == {OrderApproved}
    assert OrderCanceled not in CHARGING.events


def service(*runs: Connector) -> Service:
    return Service(name="stall", summary="", tags=(), port=1, runs=runs, serves=())


def test_a_service_runs_connectors_of_names_that_no_other_part_has() -> None:
    assert service(CHARGING).senders == (CHARGING,)
    with pytest.raises(ServiceConflict, match="stall claims the part charging twice"):
        check_services([service(CHARGING, CardProvider().connector)], {})
