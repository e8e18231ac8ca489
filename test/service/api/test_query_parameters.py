"""What a query gets and answers beside its rows: the caller as owner, the count of items."""

from dataclasses import replace
from typing import Any, cast

from bookshelf.cqrs.handler import Caller
from bookshelf.cqrs.route import Answer, Owned, QueryRoute
from bookshelf.http.message import Request, Response, request
from bookshelf.runtime.api.identity import LocalReader
from bookshelf.runtime.api.queries import QueryEndpoint
from bookshelf.runtime.openapi import document
from bookshelf.services import SERVICES
from bookshelf.shelf import last_read


class Shared(Owned):
    tag: tuple[str, ...] = ()


class NamedCallers(LocalReader):
    """Reads the caller from a field that has no signature."""

    def of(self, request: Request) -> Caller:
        return Caller(owner=request.headers.get("Caller"))


class RowsOfOneRevision:
    """Stands for the host of a view whose rows never change."""

    async def current(self) -> tuple[int, int]:
        return 0, 0

    async def query(self, work: Any) -> Any:  # noqa: ANN401 (whatever the query answers)
        return work(None)


ROUTE = QueryRoute(
    path="/shared",
    summary="The owner",
    view=last_read.VIEW,
    query=lambda _db, asked: Answer([asked.owner, asked.tag], count=7),
    params=Shared,
    counted=True,
    returns=list[str],
)


async def answer(endpoint: QueryEndpoint, **headers: str) -> Response:
    return await endpoint(request("GET", "/shared?tag=a&tag=b", b"", **headers), {})


async def test_a_query_gets_its_caller_as_owner_and_answers_are_cached_for_each() -> None:
    host = cast("Any", RowsOfOneRevision())
    endpoint = QueryEndpoint(ROUTE, host, NamedCallers())
    bodies = [(await answer(endpoint)).body, (await answer(endpoint, Caller="ann")).body]
    assert bodies == [b'[null,["a","b"]]', b'["ann",["a","b"]]']


async def test_an_answer_has_the_count_of_its_items_on_all_pages() -> None:
    endpoint = QueryEndpoint(ROUTE, cast("Any", RowsOfOneRevision()), LocalReader())
    first = await answer(endpoint)
    assert first.headers["Bookshelf-Count"] == "7"
    unchanged = await answer(endpoint, If_None_Match=first.headers["ETag"])
    assert (unchanged.status, unchanged.headers["Bookshelf-Count"]) == (304, "7")


def test_the_document_has_the_count_and_repeated_parameters_and_not_the_owner() -> None:
    [service] = [service for service in SERVICES if service.name == "lastreadbooks"]
    operation = document(replace(service, serves=(ROUTE,)))["paths"]["/shared"]["get"]
    assert "Bookshelf-Count" in operation["responses"]["200"]["headers"]
    own = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert "owner" not in own
    assert (own["tag"]["in"], own["tag"]["schema"]["type"]) == ("query", "array")
