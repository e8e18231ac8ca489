"""Two instances of one group behind a real gateway: the primary stops, is lost, or comes back too late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from support.elections import CutElection, election_of, log_election
from support.primary_context import Counters
from support.shelf import Answered, Shelf
from support.until import eventually

from bookshelf.concurrency import cancel_and_wait
from bookshelf.http.message import request
from bookshelf.runtime.election.leases import Locks
from bookshelf.runtime.service import ServiceHost
from gateway.app import Gateway

DEADLINE_S = 120
#: Seconds of a primary's lease: short enough to wait for, and lost without harm on a slow machine.
TTL_S = 1.0


class Node:
    """One process of the group: its service, and its way to the locks, which can be cut."""

    def __init__(self, name: str, shelf: Shelf, port: int, *, fenced: bool, claims: bool) -> None:
        self.counters = Counters(fenced=fenced, claims=claims)
        self.following = election_of(shelf)
        self.election = CutElection(self.following)
        infrastructure = replace(shelf.infrastructure, locks=Locks(self.election, name, "blue", TTL_S))
        self.host = ServiceHost(self.counters.service, infrastructure, "127.0.0.1", port)

    @property
    def is_primary(self) -> bool:
        assert self.host.candidate is not None
        return self.host.candidate.token is not None

    async def lose(self) -> None:
        """End it without the release of its lease, whose end the backup has to wait for."""
        self.election.cut = True
        await self.host.stop()

    async def add(self, counter: str) -> Answered:
        """Send a request to this process, past the gateway."""
        return Answered(await self.host.api.handle(request("POST", f"/counters/{counter}/more")))


class Nodes:
    """Two nodes and a gateway. The first one is the primary."""

    def __init__(self, nodes: list[Node], gateway: Gateway) -> None:
        self.nodes = nodes
        self._gateway = gateway

    async def ask(self, method: str, path: str, key: str = "") -> Answered:
        headers = {"Idempotency_Key": key} if key else {}
        asked = request(method, f"/bookshelf{path}", b"", **headers)
        return Answered(await self._gateway.handle(asked))

    async def add(self, counter: str, key: str) -> None:
        """Add one, and try again until it is acknowledged."""
        path = f"/counters/{counter}/more"
        await eventually(lambda: self._is_done("POST", path, key), "it is acknowledged", DEADLINE_S)

    async def _is_done(self, method: str, path: str, key: str = "") -> bool:
        self._last = await self.ask(method, path, key)
        return self._last.status == 200

    async def value(self, counter: str) -> int:
        await eventually(lambda: self._is_done("GET", f"/counters/{counter}"), "it is read", DEADLINE_S)
        value: int = self._last.json
        return value


@asynccontextmanager
async def running(
    *, fenced: bool = True, claims: bool = True, within_s: float = DEADLINE_S
) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        shelf, _ = await stack.enter_async_context(log_election())
        nodes: list[Node] = []
        for number in (1, 2):
            node = Node(f"node{number}", shelf, 9000 + number, fenced=fenced, claims=claims)
            following = asyncio.create_task(node.following.run())
            stack.push_async_callback(cancel_and_wait, following)
            stack.push_async_callback(node.host.stop)
            await node.host.start()
            nodes.append(node)
            if number == 1:
                await eventually(lambda: _is(nodes[0].is_primary), "it is the primary", DEADLINE_S)
        gateway = Gateway(shelf.infrastructure.discovery, shelf.infrastructure.transport)
        gateway.rules.set_own(gateway.rules.take({"primary": [{"group": "counters", "wait_s": 10}]}))
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        async with asyncio.timeout(within_s):
            yield Nodes(nodes, gateway)


async def add_much(nodes: Nodes, clients: int = 10, each: int = 10) -> None:
    """Add by many clients at once, each to its own counter and all to one."""

    async def client(number: int) -> None:
        for turn in range(each):
            await nodes.add("all", f"all-{number}-{turn}")
            await nodes.add(f"own-{number}", f"own-{number}-{turn}")

    await asyncio.gather(*map(client, range(clients)))


async def test_the_backup_is_ready_and_idle() -> None:
    async with running() as nodes:
        first, second = nodes.nodes
        await nodes.add("a", "key-1")
        assert await nodes.value("a") == 1
        if first.is_primary:  # a slow machine may have made the other one the primary meanwhile
            assert second.counters.asked == 0
        assert len(nodes._gateway.directory.pools.of(("counters",), "counters").endpoints) == 2  # noqa: SLF001


async def test_a_primary_that_stops_hands_over_and_no_request_fails() -> None:
    async with running() as nodes:
        adding = asyncio.create_task(add_much(nodes))
        await nodes.add("all", "first")
        await nodes.nodes[0].host.stop()
        await adding
        assert await nodes.value("all") == 101
        assert [await nodes.value(f"own-{number}") for number in range(10)] == [10] * 10
        assert nodes.nodes[1].is_primary


@pytest.mark.parametrize(
    ("clients", "each"),
    [(10, 10), pytest.param(200, 25, marks=pytest.mark.slow, id="200 clients, 10,000 changes")],
)
async def test_nothing_acknowledged_is_missing_when_the_primary_is_lost(clients: int, each: int) -> None:
    async with running(within_s=10 * DEADLINE_S) as nodes:
        adding = asyncio.create_task(add_much(nodes, clients, each))
        await nodes.add("all", "first")
        await nodes.nodes[0].lose()
        await adding
        assert await nodes.value("all") == clients * each + 1
        assert [await nodes.value(f"own-{number}") for number in range(clients)] == [each] * clients


@pytest.mark.parametrize("fenced", [True, False], ids=["fenced", "planted: without tokens"])
async def test_a_late_write_of_a_former_primary_is_refused(fenced: bool) -> None:  # noqa: FBT001 (a case)
    """The first one is stopped after it has read the value, and continues when the second one has written."""
    async with running(fenced=fenced) as nodes:
        first, second = nodes.nodes
        await nodes.add("a", "key-1")
        resumed = asyncio.Event()
        first.counters.pause = lambda: _resumed(resumed)
        late = asyncio.create_task(first.add("a"))
        await eventually(lambda: _is(first.counters.asked > 1), "it has read the value", DEADLINE_S)
        first.election.cut = True
        await eventually(lambda: _is(second.is_primary), "the other one takes over", DEADLINE_S)
        for number in range(3):
            await nodes.add("a", f"later-{number}")
        assert await nodes.value("a") == 4
        resumed.set()
        answer = await late
        if fenced:
            assert (answer.status, answer.json["type"]) == (409, "urn:bookshelf:problem:fenced")
            assert await nodes.value("a") == 4
        else:
            assert answer.status == 200
            assert await nodes.value("a") == 2  # two acknowledged changes are lost


@pytest.mark.parametrize("claims", [True, False], ids=["read with the token", "planted: without it"])
async def test_a_former_primary_writes_nothing_once_its_successor_has_read(claims: bool) -> None:  # noqa: FBT001 (a case)
    """The first one goes on after the second one has read the value, and before it has written."""
    async with running(claims=claims) as nodes:
        first, second = nodes.nodes
        await nodes.add("a", "key-1")
        resumed, resumed_second = asyncio.Event(), asyncio.Event()
        first.counters.pause = lambda: _resumed(resumed)
        second.counters.pause = lambda: _resumed(resumed_second)
        late = asyncio.create_task(first.add("a"))
        await eventually(lambda: _is(first.counters.paused == 1), "it has decided on a value", DEADLINE_S)
        first.election.cut = True
        await eventually(lambda: _is(second.is_primary), "the other one takes over", DEADLINE_S)
        adding = asyncio.create_task(second.add("a"))
        await eventually(lambda: _is(second.counters.paused > 0), "the other one has decided", DEADLINE_S)
        resumed.set()
        answer = await late
        resumed_second.set()
        assert (await adding).status == 200
        assert await nodes.value("a") == 2
        if claims:
            assert (answer.status, answer.json["type"]) == (409, "urn:bookshelf:problem:fenced")
        else:
            assert answer.status == 200  # an acknowledged change is lost


async def _is(condition: bool) -> bool:  # noqa: FBT001 (a condition)
    return condition


async def _resumed(resumed: asyncio.Event) -> None:
    await resumed.wait()
