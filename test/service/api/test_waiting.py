"""Prefer: wait=N: a query, or a command with one, is answered once the thing is at rest."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from support.counter_context import TALLY, VIEW, Count, tallies
from support.shelf import DEADLINE_S, Answered, Shelf

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.route import Answer, CommandRoute, QueryRoute
from bookshelf.cqrs.service import Service, ServiceConflict, check_services
from bookshelf.http.message import request
from bookshelf.runtime.openapi import document
from bookshelf.runtime.service import ServiceHost


class ShownTally(msgspec.Struct):
    id: str
    sum: int


class TallyPath(msgspec.Struct, forbid_unknown_fields=True):
    id: str


def find(db: Any, params: TallyPath) -> Answer:  # noqa: ANN401 (the storage's connection)
    row = db.execute(select(tallies).where(tallies.c.id == params.id)).first()
    if row is None:
        raise NotFound("nothing was counted yet")
    return Answer(ShownTally(row.id, row.sum), at_rest=row.sum >= 3)


class Counting(msgspec.Struct, forbid_unknown_fields=True):
    by: int = 1


ONE = QueryRoute(
    path="/tallies/{id}",
    summary="A tally",
    view=VIEW,
    query=find,
    params=TallyPath,
    returns=ShownTally,
    waits=True,
    requires=None,
)
BEGIN = CommandRoute(
    method="POST",
    path="/tallies",
    summary="Begin a tally",
    aggregate=TALLY,
    body=Counting,
    command=lambda body, _context: Count(by=body.by),
    status=201,
    creates=True,
    waits_for=ONE,
    requires=None,
)
MORE = CommandRoute(
    method="POST",
    path="/tallies/{id}/more",
    summary="Count on",
    aggregate=TALLY,
    body=Counting,
    command=lambda body, _context: Count(by=body.by),
    waits_for=ONE,
    requires=None,
)
COUNTING = Service(
    name="counting",
    summary="Tallies",
    tags=("tallies",),
    port=8099,
    runs=(TALLY, VIEW),
    serves=(BEGIN, MORE, ONE),
)


class Tallies:
    """One instance of the service."""

    def __init__(self, shelf: Shelf) -> None:
        self.host = ServiceHost(COUNTING, shelf.infrastructure, "127.0.0.1", COUNTING.port)

    async def send(self, method: str, target: str, by: int | None = None, /, **headers: str) -> Answered:
        content = b"" if by is None else msgspec.json.encode({"by": by})
        made = request(method, target, content, Content_Type="application/json", **headers)
        return Answered(await self.host.api.handle(made))


@pytest.fixture
async def tallies_of() -> AsyncIterator[Tallies]:
    async with Shelf(services=()) as shelf:
        counting = Tallies(shelf)
        async with asyncio.timeout(DEADLINE_S):
            await counting.host.start()
            yield counting
            await counting.host.stop()


async def test_a_query_waits_until_the_thing_is_at_rest(tallies_of: Tallies) -> None:
    begun = await tallies_of.send("POST", "/tallies", 1)
    address = begun.headers["Location"]
    waiting = asyncio.create_task(tallies_of.send("GET", address, Prefer="wait=1000"))
    await tallies_of.send("POST", f"{address}/more", 1)
    await tallies_of.send("POST", f"{address}/more", 1)
    found = await waiting
    assert (found.json["sum"], found.headers["Preference-Applied"]) == (3, "wait=10")


async def test_a_query_is_answered_as_it_is_once_the_time_is_over(tallies_of: Tallies) -> None:
    address = (await tallies_of.send("POST", "/tallies", 1)).headers["Location"]
    for headers in ({"Prefer": "wait=0"}, {"Prefer": "wait=10", "Bookshelf_Time_Left": "1"}, {}):
        found = await tallies_of.send("GET", address, **headers)
        assert found.json["sum"] == 1
        assert ("Preference-Applied" in found.headers) is bool(headers)


async def test_a_command_is_answered_with_its_query(tallies_of: Tallies) -> None:
    plain = await tallies_of.send("POST", "/tallies", 1)
    assert plain.body == b""
    begun = await tallies_of.send("POST", "/tallies", 3, Prefer="wait=10", Idempotency_Key="k")
    address = begun.headers["Location"]
    assert (begun.status, begun.json) == (201, {"id": address.rpartition("/")[2], "sum": 3})
    found = await tallies_of.send("GET", address)
    assert begun.headers["ETag"] == found.headers["ETag"]
    assert begun.headers["Preference-Applied"] == "wait=10"
    again = await tallies_of.send("POST", "/tallies", 3, Prefer="wait=10", Idempotency_Key="k")
    assert (again.json, again.headers["Idempotency-Replayed"]) == (begun.json, "true")
    more = await tallies_of.send("POST", f"{address}/more", 1, Prefer="wait=1")
    assert (more.status, more.json["sum"]) == (200, 4)


async def test_a_refused_command_does_not_wait(tallies_of: Tallies) -> None:
    refused = await tallies_of.send("POST", "/tallies", Prefer="wait=10")  # without a body
    assert refused.status == 400
    assert "Preference-Applied" not in refused.headers


def test_the_document_names_the_preference_where_it_counts() -> None:
    paths = document(COUNTING)["paths"]
    for path, method in (("/tallies", "post"), ("/tallies/{id}", "get"), ("/tallies/{id}/more", "post")):
        assert "Prefer" in [parameter["name"] for parameter in paths[path][method]["parameters"]]


def test_a_command_waits_for_a_query_of_its_own_service() -> None:
    other = Service(
        name="other", summary="x", tags=("x",), port=8098, runs=(TALLY, VIEW), serves=(BEGIN, MORE)
    )
    with pytest.raises(ServiceConflict, match="which waits for /tallies/"):
        check_services([other], {})
