"""What is looked up for a command that creates: nothing, if this process has just generated its id."""

import asyncio
from collections import defaultdict
from typing import Any

import msgspec
import pytest
from support.endpoint import Asked
from support.fixed_infrastructure import CountedIds, FixedClock
from support.shelf import DUNE, JSON, Shelf

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.http.message import request
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import MemoryStateStore
from bookshelf.runtime.clock import SystemIds
from bookshelf.shelf import book
from gateway.app import Gateway
from gateway.options import GatewayOptions

ADD = next(route for route in book.ROUTES if route.creates)
KEY = SystemIds(FixedClock()).new()
BODY = msgspec.json.encode(DUNE)
FROM_THE_GATEWAY = {"Idempotency_Key": KEY, "Bookshelf_Try": "1"}


async def are_fresh(ids: CountedIds, *requests: dict[str, str]) -> list[bool]:
    """Return which of the requests an endpoint with these ids takes for new."""
    asked = Asked(ADD, ids)
    for headers in requests:
        await asked.send(BODY, **headers)
    return [sent.fresh for sent in asked.commands]


@pytest.mark.parametrize(
    ("headers", "fresh"),
    [
        ({}, True),
        (FROM_THE_GATEWAY, False),
        ({"Idempotency_Key": KEY}, False),
        ({"Bookshelf_Command": KEY}, False),
    ],
)
async def test_a_key_of_a_client_is_looked_up(headers: dict[str, str], fresh: bool) -> None:  # noqa: FBT001
    assert await are_fresh(CountedIds(), headers) == [fresh]


async def test_a_key_of_this_process_is_looked_up_from_its_second_use_on() -> None:
    ids = CountedIds()
    key = {"Idempotency_Key": ids.new_command(), "Bookshelf_Try": "1"}
    assert await are_fresh(ids, key, key, key) == [True, False, False]


async def test_a_key_of_this_process_that_another_instance_forwards_is_looked_up() -> None:
    ids = CountedIds()
    key = {"Idempotency_Key": ids.new_command(), "Bookshelf_Command": KEY}
    assert await are_fresh(ids, key) == [False]


async def test_a_first_attempt_overtaken_by_the_second_is_looked_up() -> None:
    ids = CountedIds()
    asked, key = Asked(ADD, ids), ids.new_command()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(asked.send(BODY, Idempotency_Key=key, Bookshelf_After="bookshelf/0@7"))
        await asked.waiting.wait()
        await asked.send(BODY, Idempotency_Key=key)
        asked.caught_up.set()
    assert [sent.fresh for sent in asked.commands] == [True, False]


async def test_a_new_key_of_a_gateway_in_the_same_process_is_not_looked_up() -> None:
    async with Shelf() as shelf:
        ids = shelf.infrastructure.ids
        assert isinstance(ids, CountedIds)
        gateway = Gateway(
            shelf.infrastructure.discovery, shelf.infrastructure.transport, options=GatewayOptions(ids=ids)
        )
        await gateway.start()
        answer = await gateway.handle(request("POST", "/bookshelf/books", BODY, Content_Type=JSON))
        await gateway.stop()
    assert answer.status == 201
    assert list(ids.uses.values()) == [1]


async def test_a_client_with_bookshelf_try_1_is_deduplicated_across_a_restart() -> None:
    stores: defaultdict[tuple[str, int], MemoryStateStore] = defaultdict(MemoryStateStore)

    def states(aggregate: Aggregate[Any], partition: int) -> StateCache:
        return StateCache(aggregate, stores[aggregate.name, partition], None)

    log, answers = MemoryLog(2), []
    for _ in range(2):
        async with Shelf(log, states=states) as shelf:
            answers.append(await shelf.send("POST", "/books", DUNE, **FROM_THE_GATEWAY))
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[1].body == answers[0].body
    assert answers[1].headers.get("Idempotency-Replayed") == "true"
    assert sum([await log.end("bookshelf", partition) for partition in (0, 1)]) == 1
