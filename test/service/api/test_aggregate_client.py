"""Handlers ask aggregates and read their states in every instance: here, or by one hop to the owner."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest
from support.counter_commands import ORDERED
from support.counter_context import Count, Tally
from support.fixed_infrastructure import FixedClock
from support.owners import Owners

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import NO_TOKEN
from bookshelf.cqrs.errors import Changed, KeyReused, NotFound, StaleToken
from bookshelf.cqrs.message import Command
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.client import Unreachable
from bookshelf.http.message import Request, Response
from bookshelf.http.router import Endpoint
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.aggregate.command import NotOwner
from bookshelf.runtime.api.aggregate_client import AggregateClient, AggregateEndpoint
from bookshelf.runtime.api.endpoint import Api
from bookshelf.runtime.api.forwarding import OwnerForwarder
from bookshelf.runtime.api.identity import SignedCallers
from bookshelf.runtime.api.ownership import owns
from bookshelf.runtime.clock import SystemIds
from bookshelf.runtime.metrics import Meters

CALLERS = SignedCallers(b"a secret of the tests")
MEANS = (FixedClock(), SystemIds(FixedClock()), CALLERS)
KEYS = [f"key-{number}" for number in range(12)]


FENCED = replace(ORDERED, fenced=True)


class TwoInstances:
    """Two instances of a service, each with a client and an internal endpoint; ports 0 and 1."""

    def __init__(self, owners: Owners, aggregate: Aggregate[Tally] = ORDERED, move_s: float = 0.01) -> None:
        clock, ids, _ = MEANS
        self.discovery = LocalDiscovery()
        self.hosts = [owners.make(aggregate) for _ in range(2)]
        onward = OwnerForwarder(ORDERED.name, self.discovery, self)
        self.clients = [AggregateClient(host, onward, clock, ids, CALLERS, move_s) for host in self.hosts]
        self.asked: list[str] = []
        self.endpoints = [AggregateEndpoint(host, *MEANS) for host in self.hosts]
        self.apis = [made_api(endpoint.paths()) for endpoint in self.endpoints]
        self.fault: Exception | None = None

    async def send(self, _address: str, port: int, sent: Request) -> Response:
        """Stand in for the connections between them."""
        self.asked.append(sent.target)
        if self.fault is not None:
            raise self.fault
        return await self.apis[port].handle(sent)

    async def close(self) -> None:
        """Hold nothing."""

    async def start(self) -> None:
        """Divide the partitions, and register the owners."""
        for host in self.hosts:
            await host.start()
        for port, host in enumerate(self.hosts):
            await host.served()
            instance = Instance(
                id=f"tallies-{port}",
                service="tallies",
                tags=("tallies",),
                address="here",
                port=port,
                meta=owns(ORDERED.name, host.owned, host.partitions),
            )
            await self.discovery.register(instance)

    def elsewhere(self, client: int) -> str:
        """Return a key whose owner is not the instance of this client."""
        return next(key for key in KEYS if self.hosts[client].partition(key) not in self.hosts[client].owned)


def made_api(paths: Iterable[tuple[str, Endpoint]]) -> Api:
    api = Api("tallies", Meters())
    for path, answer in paths:
        api.add("POST", path, answer)
    return api


@pytest.fixture
async def instances() -> AsyncIterator[TwoInstances]:
    async with Owners(MemoryLog(4)) as owners:
        made = TwoInstances(owners)
        await made.start()
        yield made


async def test_every_instance_carries_out_commands_and_reads_states(instances: TwoInstances) -> None:
    for key in KEYS:
        first = await instances.clients[0].ask(key, Count(by=2), actor="a")
        second = await instances.clients[1].ask(key, Count(by=3), actor="a")
        assert (first.state, second.state) == (Tally(sum=2, said=1), Tally(sum=5, said=2))
        assert second.version > first.version
        assert second.position is not None
        states = [await client.state(key) for client in instances.clients]
        assert states == [second.state, second.state]
    # a call of each kind went to another instance, by one hop
    assert {target.endswith("/state") for target in instances.asked} == {True, False}
    assert len(instances.asked) == 2 * len(KEYS)


async def test_a_repeated_command_of_a_handler_is_carried_out_once(instances: TwoInstances) -> None:
    for client in (0, 1, 0):
        result = await instances.clients[client].ask("key-1", Count(by=2), actor="a", command_id="once")
        assert result.state == Tally(sum=2, said=1)
    assert result.replayed


async def test_an_id_with_another_content_is_refused_in_every_instance(instances: TwoInstances) -> None:
    for key in KEYS:
        first, again = [
            await client.ask(key, Count(by=2), actor="a", command_id="once", content=Count(by=2))
            for client in instances.clients
        ]
        assert (first.replayed, again.replayed, again.state) == (False, True, first.state)
        for client in instances.clients:
            with pytest.raises(KeyReused):
                await client.ask(key, Count(by=3), actor="a", command_id="once", content=Count(by=3))


async def test_a_version_is_checked_in_every_instance(instances: TwoInstances) -> None:
    for key in KEYS:
        first = await instances.clients[0].ask(key, Count(by=2), actor="a", command_id="once")
        versions = frozenset({first.version, 10**6})
        for client in instances.clients:
            again = await client.ask(
                key, Count(by=2), actor="a", command_id="once", expects=frozenset()
            )  # a repetition
            assert (again.replayed, again.state) == (True, first.state)
            with pytest.raises(Changed) as caught:
                await client.ask(key, Count(), actor="a", expects=frozenset())
            assert (caught.value.version, caught.value.position) == (first.version, first.position)
        for client, by in zip(instances.clients, (3, 4), strict=True):
            result = await client.ask(key, Count(by=by), actor="a", expects=versions)
            versions = frozenset({result.version})
        assert result.state.sum == 9
        for client in instances.clients:
            with pytest.raises(Changed) as caught:
                await client.ask(key, Count(), actor="a", expects=frozenset({first.version}))
            assert caught.value.version == result.version


async def test_a_refusal_is_the_same_from_another_instance(instances: TwoInstances) -> None:
    for client in instances.clients:
        with pytest.raises(NotFound, match="nothing was counted yet"):
            await client.ask("key-2", Count(must=True), actor="a")


async def test_a_state_is_waited_for_in_every_instance(instances: TwoInstances) -> None:
    for key in ("key-1", "key-2", "key-3", "key-4"):
        waits = [
            asyncio.create_task(client.state(key, lambda tally: tally.sum >= 2, 30.0))
            for client in instances.clients
        ]
        for _ in range(2):
            await instances.clients[0].ask(key, Count(), actor="a")
        assert await asyncio.gather(*waits) == [Tally(sum=2, said=2)] * 2


async def test_a_state_that_does_not_come_in_time_is_returned_as_it_is(instances: TwoInstances) -> None:
    for client in instances.clients:
        assert await client.state("key-1", lambda tally: tally.sum > 0, 0.01) == Tally()


async def test_a_command_that_the_aggregate_does_not_take_is_a_defect(instances: TwoInstances) -> None:
    class Unknown(Command, frozen=True):
        TYPE = "test.unknown.v1"

    with pytest.raises(TypeError, match="does not take"):
        await instances.clients[0].ask("key-1", Unknown(), actor="a")


async def test_a_call_without_a_reachable_owner_changes_nothing(instances: TwoInstances) -> None:
    instances.fault = Unreachable("gone")
    key = instances.elsewhere(0)
    with pytest.raises(NotOwner):
        await instances.clients[0].ask(key, Count(), actor="a")
    instances.fault = None
    assert await instances.clients[0].state(key) == Tally()


async def test_the_second_instance_forwards_no_call(instances: TwoInstances) -> None:
    await instances.discovery.register(
        Instance(
            id="tallies-1",
            service="tallies",
            tags=("tallies",),
            address="here",
            port=0,
            meta=owns(ORDERED.name, instances.hosts[1].owned, 4),
        )
    )
    with pytest.raises(NotOwner):
        await instances.clients[0].ask(instances.elsewhere(0), Count(), actor="a")
    assert len(instances.asked) == 1


async def test_a_fenced_aggregate_is_read_with_a_token_in_every_instance() -> None:
    async with Owners(MemoryLog(4)) as owners:
        instances = TwoInstances(owners, FENCED)
        await instances.start()
        for key in KEYS:
            for token, (client, other) in enumerate((instances.clients, instances.clients[::-1]), 8):
                assert await client.state(key, token=token) == await other.state(key, token=NO_TOKEN)
                for one in (client, other):
                    with pytest.raises(StaleToken):
                        await one.ask(key, Count(), actor="a", token=token - 1)
                    with pytest.raises(StaleToken):
                        await one.state(key, token=token - 1)
                await other.ask(key, Count(), actor="a", token=token)
            with pytest.raises(ValueError, match="name the token of your lease"):
                await instances.clients[0].state(key)
        assert {target.split("/")[-1] for target in instances.asked} >= {"conditional", "claim", "state"}


@pytest.mark.parametrize("wanted", ["a version", "a token", "a claim"])
async def test_a_former_release_as_owner_takes_no_call_whose_conditions_it_overlooks(wanted: str) -> None:
    """It does not know the path. The call waits until another instance owns the partition."""
    async with Owners(MemoryLog(4)) as owners:
        instances = TwoInstances(owners, FENCED, 30.0)
        await instances.start()
        key = instances.elsewhere(0)
        instances.apis[1] = made_api(list(instances.endpoints[1].paths())[::2])
        client = instances.clients[0]
        await client.ask(key, Count(by=2), actor="a")
        if wanted == "a version":
            asking = asyncio.create_task(client.ask(key, Count(), actor="a", expects=frozenset()))
        elif wanted == "a token":
            asking = asyncio.create_task(client.ask(key, Count(), actor="a", token=9))
        else:
            asking = asyncio.create_task(client.state(key, token=9))
        await until_asked(instances, 2)
        assert await client.state(key, token=NO_TOKEN) == Tally(sum=2, said=1)
        await instances.hosts[1].stop()
        if wanted == "a version":
            with pytest.raises(Changed):
                await asking
        else:
            await asking
            with pytest.raises(StaleToken):
                await client.ask(key, Count(), actor="a", token=8)


async def until_asked(instances: TwoInstances, times: int) -> None:
    async with asyncio.timeout(30):
        while len(instances.asked) < times:  # noqa: ASYNC110 (a list shows this only when polled)
            await asyncio.sleep(0)  # sleep: a turn for the call


async def test_a_call_waits_for_an_owner_that_is_registered_and_has_lost_the_partition() -> None:
    """Its answer is no answer: discovery has what was so before, and learns of nothing."""
    async with Owners(MemoryLog(4)) as owners:
        instances = TwoInstances(owners, ORDERED, 30.0)
        await instances.start()
        key = instances.elsewhere(0)
        right, moving = instances.apis[1], AggregateEndpoint(instances.hosts[0], *MEANS)
        instances.apis[1] = made_api(moving.paths())
        asking = asyncio.create_task(instances.clients[0].ask(key, Count(by=2), actor="a"))
        await until_asked(instances, 2)
        assert not asking.done()
        instances.apis[1] = right
        assert (await asking).state == Tally(sum=2, said=1)
