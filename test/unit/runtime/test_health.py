"""Reports of an instance's health to discovery, at changes and at moves of partitions."""

import asyncio

import pytest

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.message import request
from bookshelf.http.problem import Problem
from bookshelf.runtime.health import Health

ONE = Instance(id="newbook-1", service="newbook", tags=("books",), address="127.0.0.1", port=8081)


class Told:
    """An instance with a given health, and its registration."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.discovery = LocalDiscovery()
        self.health = Health(lambda: self.fault, list)

    def moves(self) -> None:
        """Register again, as at every move of a partition, and report the health."""

        async def both() -> None:
            await self.discovery.register(ONE)
            await self.health.tell(self.discovery, ONE.id, registered=True)

        asyncio.run(both())

    def looks(self) -> None:
        """Look at its own health, as it does now and then."""
        asyncio.run(self.health.tell(self.discovery, ONE.id))

    @property
    def listed(self) -> bool:
        return bool(self.discovery.snapshot().instances)


def test_a_fault_makes_an_instance_unready_until_the_fault_ends() -> None:
    one = Told()
    one.moves()
    one.fault = "replays partitions [0]"
    one.looks()
    assert not one.listed
    one.fault = None
    one.looks()
    assert one.listed


def test_a_moved_partition_does_not_hide_a_reported_fault() -> None:
    one = Told()
    one.moves()
    one.fault = "replays partitions [0]"
    one.looks()
    one.moves()
    assert not one.listed


def test_a_fault_reported_at_a_move_is_withdrawn_after_it_ends() -> None:
    one = Told()
    one.fault = "replays partitions [0]"
    one.moves()
    one.fault = None
    one.looks()
    assert one.listed


def test_an_instance_that_no_gateway_can_find_is_not_ready() -> None:
    """A rolling update would end the instances before it while the registry is slow."""
    one = Told()
    asked = request("GET", "/health/ready")
    with pytest.raises(Problem, match="not ready"):
        asyncio.run(one.health.ready(asked, {}))
    with one.health.registration():
        assert asyncio.run(one.health.ready(asked, {})).status == 200
