"""What a route takes from the path, the query string and the caller, beside the body."""

from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import pytest
from support.endpoint import Asked
from support.fixed_infrastructure import NOW

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.ownership import created
from bookshelf.runtime.openapi import document
from bookshelf.services import SERVICES
from bookshelf.shelf.book import BOOK


class EntryPlace(msgspec.Struct, forbid_unknown_fields=True, rename={"merged_into": "merged-into"}):
    entry: int
    merged_into: str | None = None


class PutEntry(Command, frozen=True):
    TYPE: ClassVar[str] = "test.put-entry.v1"
    context: Any


class Entry(msgspec.Struct):
    number: int
    of: str


ROUTE = CommandRoute(
    method="PUT",
    path="/lists/{id}/entries/{entry}",
    summary="Put an entry into a list",
    aggregate=BOOK,
    body_required=False,
    params=EntryPlace,
    command=lambda _body, context: PutEntry(context=context),
    part=lambda id_, state, context: Entry(state + context.params.entry, id_),
    returns=Entry,
    location="/lists/{id}/entries/{body.number}",
    status=201,
)
PATH = {"id": "up-next", "entry": "3"}


def asked(route: CommandRoute = ROUTE) -> Asked:
    made = Asked(route)
    made.result = CommandResult("up-next", 4, 7, Position("bookshelf", 0, 7), replayed=False)
    return made


async def test_a_command_gets_the_values_of_path_and_query_string_the_time_and_the_caller() -> None:
    endpoint = asked()
    await endpoint.answer(PATH, "merged-into=b")
    [sent] = endpoint.commands
    assert sent.subject == "up-next"
    assert sent.command == PutEntry(context=RequestContext(at=NOW, path=PATH, params=EntryPlace(3, "b")))


@pytest.mark.parametrize(
    ("path", "query", "parameter", "detail"),
    [
        ({**PATH, "entry": "x"}, "", "entry", "must be a whole number"),
        (PATH, "merged-into=a&merged-into=b", "merged-into", "is given twice; give it once"),
        (PATH, "merged=a", "merged", "is not known here"),
    ],
)
async def test_a_wrong_parameter_of_a_command_is_named(
    path: dict[str, str], query: str, parameter: str, detail: str
) -> None:
    with pytest.raises(Problem) as refused:
        await asked().answer(path, query)
    [fault] = refused.value.faults
    assert fault.parameter == parameter
    assert fault.detail.startswith(detail)


async def test_a_route_without_parameters_does_not_read_the_query_string() -> None:
    endpoint = asked(replace(ROUTE, path="/lists/{id}", params=Empty, part=None, location=None))
    assert (await endpoint.answer({"id": "up-next"}, "colour=%ff")).status == 201


async def test_a_key_with_other_parameters_is_another_content_and_an_absent_one_is_none() -> None:
    endpoint = asked()
    await endpoint.answer(PATH)
    await endpoint.answer({**PATH, "entry": "4"})
    await endpoint.answer(PATH, "merged-into=b")
    assert len({sent.hash for sent in endpoint.commands}) == 3
    plain = asked(replace(ROUTE, path="/lists/{id}", params=Empty, part=None, location=None))
    optional = asked(replace(ROUTE, path="/lists/{id}", params=Optional, part=None, location=None))
    await plain.answer({"id": "up-next"})
    await optional.answer({"id": "up-next"})
    assert plain.commands[0].hash == optional.commands[0].hash


class Optional(msgspec.Struct, forbid_unknown_fields=True):
    note: str | None = None


async def test_an_answer_can_be_a_part_of_the_aggregate_with_an_address_of_its_own() -> None:
    response = await asked().answer(PATH)
    assert (response.status, response.body) == (201, b'{"number":7,"of":"up-next"}')
    assert response.headers["Location"] == "/lists/up-next/entries/7"


async def test_a_route_can_choose_its_subject() -> None:
    of_year = replace(
        ROUTE, path="/entries/{entry}", subject=lambda _body, context: f"year-{context.params.entry}"
    )
    endpoint = asked(of_year)
    await endpoint.answer({"entry": "3"})
    assert endpoint.commands[0].subject == "year-3"


class NewThing(msgspec.Struct, forbid_unknown_fields=True):
    id: str | None = None


async def test_a_client_may_choose_the_id_of_what_it_creates_which_may_then_have_been_used_before() -> None:
    creating = replace(ROUTE, path="/things", params=Empty, part=None, location=None, creates=True)
    endpoint = Asked(replace(creating, body=NewThing, subject=lambda body, _context: body.id))
    for content in (b'{"id":"mine"}', b"{}"):
        await endpoint.send(content)
    chosen, derived = endpoint.commands
    assert (chosen.subject, chosen.fresh) == ("mine", False)
    assert (derived.subject, derived.fresh) == (created(derived.id), True)


def test_the_document_has_the_parameters_the_address_and_how_to_find_the_owner() -> None:
    [service] = [service for service in SERVICES if service.name == "newbook"]
    of_year = replace(ROUTE, path="/entries/{entry}", subject=lambda _body, _context: "year")
    paths = document(replace(service, serves=(ROUTE, of_year)))["paths"]
    operation = paths[ROUTE.path]["put"]
    places = [(parameter["name"], parameter["in"]) for parameter in operation["parameters"]][:3]
    assert places == [("id", "path"), ("entry", "path"), ("merged-into", "query")]
    assert "Location" in operation["responses"]["201"]["headers"]
    assert operation["x-bookshelf"] == {"aggregate": "newbook", "subject": "id"}
    assert "x-bookshelf" not in paths["/entries/{entry}"]["put"]
