"""The contract of elections, in one process and on the log; and what only that on the log can meet."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from contract.election_contract import ElectionContract, granted
from support.elections import LONG_S, SHORT_S, election_of, log_election
from support.fixed_infrastructure import NOW, FixedClock
from support.until import eventually

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport, NoResponse
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.identity import LocalReader
from bookshelf.runtime.election.local import LocalElection
from bookshelf.runtime.election.lock_service import LockService
from bookshelf.runtime.election.log import LogElection
from bookshelf.runtime.election.port import ElectionFault


class TestLocalElection(ElectionContract):
    """All of it within one process."""

    @pytest.fixture
    def election(self) -> LocalElection:
        return LocalElection()


class TestLogElection(ElectionContract):
    """On the service `locks`."""

    @pytest.fixture
    async def election(self) -> AsyncIterator[LogElection]:
        async with log_election() as (_, election):
            yield election


async def test_a_lease_is_taken_over_although_the_clock_of_its_owner_stands_still() -> None:
    """Its end does not come by that clock; the candidate has seen it unchanged for longer than it lasts."""
    async with log_election(FixedClock()) as (_, election):
        first = await granted(election, "nightly", "node1", SHORT_S)
        second = await granted(election, "nightly", "node2", SHORT_S)
        assert second.token > first.token
        assert asyncio.get_running_loop().time() >= first.ends


async def test_a_lease_that_was_renewed_meanwhile_is_not_taken_over() -> None:
    async with log_election(clock := FixedClock()) as (_, election):
        lease = await granted(election, "nightly", "node1", LONG_S)
        seen = f"{NOW + timedelta(seconds=LONG_S):%Y-%m-%dT%H:%M:%S}Z"
        clock.move(timedelta(seconds=1))
        await election.renew(lease)
        body = {"holder": "node2", "lease": "another", "ttl_s": 1.0, "seen": seen}
        end = asyncio.get_running_loop().time() + LONG_S
        service = election.service
        assert await service.command("nightly", "acquire", body, "another", end) is None
        body["seen"] = f"{NOW + timedelta(seconds=LONG_S + 1):%Y-%m-%dT%H:%M:%S}Z"
        assert await service.command("nightly", "acquire", body, "another", end) is not None


async def test_without_the_service_nothing_is_granted() -> None:
    service = LockService(LocalDiscovery(), LocalTransport(), LocalReader())
    with pytest.raises(ElectionFault, match="no instance of locks is ready"):
        await LogElection(service, lambda: "id-1").acquire("nightly", "node1", SHORT_S)


class _LosingTransport(LocalTransport):
    """Loses the answer of every second request that was carried out."""

    def __init__(self, transport: LocalTransport) -> None:
        super().__init__()
        self._under = transport
        self._sent = 0

    async def send(self, address: str, port: int, request: Request) -> Response:
        response = await self._under.send(address, port, request)
        self._sent += 1
        if self._sent % 2 and request.method == "POST":
            msg = "the answer is lost"
            raise NoResponse(msg)
        return response


async def test_a_command_whose_answer_is_lost_is_sent_again_and_carried_out_once() -> None:
    async with log_election() as (shelf, _):
        ports = shelf.infrastructure
        assert isinstance(ports.transport, LocalTransport)
        service = LockService(ports.discovery, _LosingTransport(ports.transport), ports.callers)
        election = LogElection(service, ports.ids.new)
        first = await granted(election, "nightly", "node1")
        first = await election.renew(first)
        await election.release(first)
        second = await granted(election, "nightly", "node2")
        assert [first.token, second.token] == [0, 3]


async def test_the_api_shows_the_locks_that_are_held() -> None:
    async with log_election() as (shelf, election):
        lease = await granted(election_of(shelf), "nightly", "node1")

        async def shown() -> bool:
            listed = (await shelf.send("GET", "/cluster/locks", Bookshelf_After="end")).json
            held = [(lock["name"], lock["holder"], lock["token"], lock["ttl_s"]) for lock in listed]
            return held == [("nightly", "node1", lease.token, LONG_S)]

        await eventually(shown, "the lock is listed")
        await election.release(lease)
        assert (await shelf.send("GET", "/cluster/locks", Bookshelf_After="end")).json == []
