"""What is looked up for a command that creates: nothing, if this process has just generated its id."""

from collections import defaultdict
from typing import Any, NoReturn, cast

import msgspec
import pytest
from support.ports import CountedIds, FixedClock
from support.shelf import DUNE, JSON, Shelf

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.clock import SystemIds
from bookshelf.runtime.edge.commands import CommandEndpoint
from bookshelf.runtime.http.message import request
from bookshelf.runtime.http.problem import Problem
from bookshelf.runtime.owner.command import Sent
from bookshelf.runtime.owner.states import States
from bookshelf.runtime.owner.store import MemoryStore
from bookshelf.shelf import book
from gateway.app import Gateway
from gateway.choices import Choices

ADD = next(route for route in book.ROUTES if route.creates)
KEY = SystemIds(FixedClock()).new()
BODY = msgspec.json.encode(DUNE)
FROM_THE_GATEWAY = {"Idempotency_Key": KEY, "Bookshelf_Try": "1"}


class Host:
    """Keeps what it is asked, and does nothing."""

    def __init__(self) -> None:
        self.asked: list[Sent] = []

    async def ask(self, sent: Sent) -> NoReturn:
        self.asked.append(sent)
        raise Problem("unavailable", "it was only asked")


async def are_fresh(ids: CountedIds, *requests: dict[str, str]) -> list[bool]:
    """Return which of the requests an endpoint with these ids takes for new."""
    host = Host()
    endpoint = CommandEndpoint(ADD, cast("Any", host), FixedClock(), ids, cast("Any", None))
    for headers in requests:
        with pytest.raises(Problem, match="only asked"):
            await endpoint(request("POST", "/books", BODY, **headers), {})
    return [sent.fresh for sent in host.asked]


@pytest.mark.parametrize(
    ("headers", "fresh"),
    [
        ({}, True),
        (FROM_THE_GATEWAY, False),
        ({"Idempotency_Key": KEY}, False),
        ({"Bookshelf_Command": KEY}, False),
    ],
)
async def test_a_key_from_outside_is_looked_up(headers: dict[str, str], fresh: bool) -> None:  # noqa: FBT001
    assert await are_fresh(CountedIds(), headers) == [fresh]


async def test_a_key_of_this_process_is_looked_up_from_its_second_use_on() -> None:
    ids = CountedIds()
    key = {"Idempotency_Key": ids.new_command(), "Bookshelf_Try": "1"}
    assert await are_fresh(ids, key, key, key) == [True, False, False]


async def test_a_key_of_this_process_that_another_instance_forwards_is_looked_up() -> None:
    ids = CountedIds()
    key = {"Idempotency_Key": ids.new_command(), "Bookshelf_Command": KEY}
    assert await are_fresh(ids, key) == [False]


async def test_a_key_that_a_gateway_in_the_same_process_makes_is_not_looked_up() -> None:
    async with Shelf() as shelf:
        ids = shelf.world.ids
        assert isinstance(ids, CountedIds)
        gateway = Gateway(shelf.world.discovery, shelf.world.transport, choices=Choices(ids=ids))
        await gateway.start()
        answer = await gateway.handle(request("POST", "/bookshelf/books", BODY, Content_Type=JSON))
        await gateway.stop()
    assert answer.status == 201
    assert list(ids.uses.values()) == [1]


async def test_a_first_try_that_a_client_claims_is_done_once_across_a_restart() -> None:
    stores: defaultdict[tuple[str, int], MemoryStore] = defaultdict(MemoryStore)

    def states(aggregate: Aggregate[Any], partition: int) -> States:
        return States(aggregate, stores[aggregate.name, partition], None)

    log, answers = MemoryLog(2), []
    for _ in range(2):
        async with Shelf(log, states=states) as shelf:
            answers.append(await shelf.send("POST", "/books", DUNE, **FROM_THE_GATEWAY))
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[1].body == answers[0].body
    assert answers[1].headers.get("Idempotency-Replayed") == "true"
    assert sum([await log.end("bookshelf", partition) for partition in (0, 1)]) == 1
