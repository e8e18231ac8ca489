"""A command whose partition has no owner for a moment waits for the next one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.fixed_infrastructure import FixedClock
from support.owners import Owners

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.message import Request, Response, request
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.aggregate.command import Busy, NotOwner
from bookshelf.runtime.aggregate.command_queue import CAPACITY_BYTES
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.api.at_owner import MOVE_S
from bookshelf.runtime.api.commands import CommandEndpoint
from bookshelf.runtime.api.forwarding import COMMAND, OwnerForwarder
from bookshelf.runtime.api.identity import LocalReader
from bookshelf.runtime.api.ownership import owns
from bookshelf.runtime.clock import SystemIds
from bookshelf.shelf import book
from gateway.upstream.call import CallTimeouts

ADD = next(route for route in book.ROUTES if route.creates)
ANY_PARTITION = frozenset(range(4))


def test_a_command_waits_longer_than_the_session_of_a_killed_owner_and_less_than_an_attempt() -> None:
    assert KafkaSettings().session_s < MOVE_S < CallTimeouts().try_s


class Instances:
    """Two instances of newbook in one discovery; the second one's port is 2."""

    def __init__(self, owners: Owners) -> None:
        self.discovery = LocalDiscovery()
        self.hosts = [owners.make(book.BOOK) for _ in range(2)]
        onward = OwnerForwarder(book.BOOK.name, self.discovery, self)
        self.endpoints = [
            CommandEndpoint(ADD, host, FixedClock(), SystemIds(FixedClock()), onward, LocalReader())
            for host in self.hosts
        ]

    async def send(self, _address: str, port: int, sent: Request) -> Response:
        """Stand in for the connections between them."""
        return await self.endpoints[port - 1](sent, {})

    async def close(self) -> None:
        """Hold nothing."""

    async def ready(self, number: int) -> None:
        """Register an instance as owner of all partitions."""
        meta = owns(book.BOOK.name, ANY_PARTITION, len(ANY_PARTITION))
        name = f"newbook-{number}"
        await self.discovery.register(
            Instance(id=name, service="newbook", tags=("new",), address="here", port=number, meta=meta)
        )

    def add(self, **headers: str) -> asyncio.Task[Response]:
        """Send a book to the first instance."""
        body = b'{"title": "Dune", "author": "Herbert"}'
        sent = request("POST", "/books", body, Content_Type="application/json", **headers)
        return asyncio.create_task(self._first(sent))

    async def _first(self, sent: Request) -> Response:
        return await self.endpoints[0](sent, {})


async def waits(host: AggregateHost) -> None:
    """Return once a command waits for an owner."""
    async with asyncio.timeout(10):
        while not host.waits:  # noqa: ASYNC110 (a host shows this only when polled)
            await asyncio.sleep(0)  # sleep: a turn for the command


@pytest.fixture
async def instances() -> AsyncIterator[Instances]:
    async with Owners(MemoryLog(len(ANY_PARTITION))) as owners:
        yield Instances(owners)


async def test_a_command_waits_until_its_instance_owns_the_partition(instances: Instances) -> None:
    adding = instances.add()
    await waits(instances.hosts[0])
    await instances.hosts[0].start()
    assert (await adding).status == 201


async def test_a_command_waits_until_another_instance_owns_the_partition(instances: Instances) -> None:
    adding = instances.add()
    await waits(instances.hosts[0])
    await instances.hosts[1].start()
    await instances.ready(2)
    assert (await adding).status == 201


async def test_what_else_changes_meanwhile_does_not_end_the_wait(instances: Instances) -> None:
    adding = instances.add()
    await waits(instances.hosts[0])
    for number in range(3):
        await instances.discovery.register(
            Instance(id=f"other-{number}", service="other", tags=("o",), address="here", port=9)
        )
        await waits(instances.hosts[0])
    await instances.hosts[0].start()
    assert (await adding).status == 201


async def test_nothing_is_done_if_no_owner_comes_in_time(instances: Instances) -> None:
    with pytest.raises(NotOwner):
        await instances.add(Bookshelf_Time_Left="0.05")
    assert not instances.hosts[0].waits


async def test_a_forwarded_command_does_not_wait(instances: Instances) -> None:
    """Its first instance does, and would wait for this one without an end in sight."""
    with pytest.raises(NotOwner):
        await instances.add(**{COMMAND.replace("-", "_"): "0190a5a4-3b00-7000-8000-000000000001"})


async def test_waiting_commands_are_bounded_by_bytes(instances: Instances) -> None:
    room = instances.hosts[0]._dependencies.room  # noqa: SLF001 (all commands of a host share it)
    room.used = CAPACITY_BYTES
    with pytest.raises(Busy):
        await instances.add()
    assert room.used == CAPACITY_BYTES
