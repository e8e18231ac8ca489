"""The served OpenAPI document is true: schemathesis sends what it allows, and what it forbids."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance as accepted
from support.client import Client
from support.program import Program
from support.service_of import LOCAL_APIS

from bookshelf.cqrs.handler import HandlerRoute
from bookshelf.cqrs.route import EventsRoute

#: The routes of the program, which the document must have.
SERVED = [(route.method, route.path) for service in LOCAL_APIS for route in service.serves]
#: Refusals of values that have the right shape, and are not plausible: no schema can express these.
BEYOND_A_SCHEMA = (
    "is no day of the calendar",
    "lies in the future",
    "is required, or contributors",
    "is derived from contributors, where it differs",
    "is required, or a note",
    "is for a past reading",
    "is for an abandoned reading",
    "before it starts",
    "needs exactly one of",
    "lies beyond the total",
    "has one decimal",
    "is not a cursor",
    "needs words to search for",
    "needs a list, in list",
    "is not on this list",
    "is a number in this sort",
    "is not possible in this sort",
    "belongs to another sort",
    "it has changed since",
    "was used before, with another content",
    "is no picture",
    "as all prices of this shop",  # the one currency of a shop
    "as this credit",
    "not a number with a fraction",  # JSON Schema takes 1.0 for an integer
)
#: The same cases every time: a failure is the document's or the program's, never the day's.
STABLE = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def as_python_reads(part: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return a document whose patterns mean the same in Python: `$` is the end of the text."""
    if isinstance(part, list):
        return [as_python_reads(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    made = {key: as_python_reads(inner) for key, inner in part.items()}
    if isinstance(pattern := made.get("pattern"), str) and pattern.endswith("$"):
        made["pattern"] = pattern + r"(?!\n)"
    return made


@pytest.fixture(scope="module")
def merged(running: Program) -> dict[str, Any]:
    """The document of all services, as the gateway serves it."""
    found: dict[str, Any] = Client(running.note.url).get("/openapi.json").json
    return found


@pytest.fixture(scope="module")
def document(running: Program, merged: dict[str, Any]) -> BaseSchema:
    """The document of all services, for schemathesis."""
    found: BaseSchema = schemathesis.openapi.from_dict(as_python_reads(merged))
    found.config.update(base_url=f"{running.note.url}/bookshelf")
    return found


def check(operation: Any, mode: GenerationMode, **fixed: object) -> None:  # noqa: ANN401 (its own generics)
    """Send cases; every answer keeps every promise of the document."""

    @STABLE
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def every(case: Case[Any]) -> None:
        response = case.call()
        if response.status_code == 431:  # the port's own limits are not part of an operation
            return
        meant = any(reason in response.text for reason in BEYOND_A_SCHEMA)
        case.validate_response(response, excluded_checks=[accepted] if meant else [])

    every()


def test_the_document_has_every_operation(document: BaseSchema) -> None:
    paths = document.raw_schema["paths"]
    found = [(method.upper(), path) for path, item in paths.items() for method in item]
    assert sorted(found) == sorted(SERVED)


#: All but the streams, which do not end.
ANSWERED = [
    (route.method, route.path)
    for service in LOCAL_APIS
    for route in service.serves
    if not isinstance(route, EventsRoute)
]
#: Of handlers the document has no schemas, so it forbids nothing.
HANDLED = {
    (route.method, route.path)
    for service in LOCAL_APIS
    for route in service.serves
    if isinstance(route, HandlerRoute)
}
#: Takes a picture, which no schema describes: what is generated is none, and is refused.
PICTURES = {("POST", "/files"), ("POST", "/photos")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        one
        for one in ANSWERED
        if one not in PICTURES and (one not in HANDLED or not one[1].startswith("/shop/"))
    ],
)
def test_requests_that_the_document_allows_are_accepted(document: BaseSchema, method: str, path: str) -> None:
    check(document[path][method], GenerationMode.POSITIVE)


@pytest.mark.parametrize(("method", "path"), [one for one in ANSWERED if one not in HANDLED])
def test_requests_that_the_document_forbids_are_refused(document: BaseSchema, method: str, path: str) -> None:
    check(document[path][method], GenerationMode.NEGATIVE)


@pytest.mark.parametrize(
    ("method", "path"),
    [one for one in ANSWERED if "{id}" in one[1] and not one[1].startswith("/shop/")],
)
def test_operations_on_an_existing_book_match_the_document(
    running: Program, document: BaseSchema, method: str, path: str
) -> None:
    client = running.client
    book = client.add("Dune")
    assert client.get(f"/books/{book['id']}").status == 200
    check(document[path][method], GenerationMode.POSITIVE, path_parameters={"id": book["id"]})
