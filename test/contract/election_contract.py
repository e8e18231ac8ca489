"""What every adapter of elections does."""

import asyncio

import msgspec
import pytest
from support.elections import LONG_S, SHORT_S, CutElection
from support.until import eventually

from bookshelf.cqrs.errors import LeaseOver
from bookshelf.runtime.election.leases import Locks
from bookshelf.runtime.election.port import Election, ElectionFault, Lease

DEADLINE_S = 60


async def granted(election: Election, name: str, holder: str, ttl_s: float = LONG_S) -> Lease:
    """Return a lease, as soon as the lock is free."""
    found: list[Lease] = []

    async def is_granted() -> bool:
        try:
            lease = await election.acquire(name, holder, ttl_s)
        except ElectionFault:  # the machine was so slow that the lease would have ended
            return False
        found.extend([lease] if lease is not None else [])
        return lease is not None

    await eventually(is_granted, "the lock is free", DEADLINE_S)
    return found[0]


class ElectionContract:
    """Subclasses give the fixture `election`."""

    async def test_a_lock_is_held_by_one(self, election: Election) -> None:
        lease = await election.acquire("nightly", "node1", LONG_S)
        assert lease is not None
        assert (lease.name, lease.holder, lease.ttl_s) == ("nightly", "node1", LONG_S)
        assert await election.acquire("nightly", "node1", LONG_S) is None
        assert await election.acquire("other", "node2", LONG_S) is not None

    async def test_a_released_lock_is_free_and_its_next_token_is_higher(self, election: Election) -> None:
        first = await granted(election, "nightly", "node1")
        await election.release(first)
        await election.release(first)
        second = await election.acquire("nightly", "node2", LONG_S)
        assert second is not None
        assert second.token > first.token
        await election.release(first)
        assert await election.acquire("nightly", "node1", LONG_S) is None

    async def test_a_lease_that_is_not_renewed_ends(self, election: Election) -> None:
        first = await granted(election, "nightly", "node1", SHORT_S)
        second = await granted(election, "nightly", "node2")
        assert second.token > first.token
        assert asyncio.get_running_loop().time() >= first.ends
        with pytest.raises(LeaseOver):
            await election.renew(first)

    async def test_a_renewed_lease_ends_later_and_keeps_its_token(self, election: Election) -> None:
        lease = await granted(election, "nightly", "node1")
        renewed = await election.renew(lease)
        assert (renewed.id, renewed.token) == (lease.id, lease.token)
        assert renewed.ends > lease.ends

    async def test_a_released_lease_is_not_renewed(self, election: Election) -> None:
        lease = await granted(election, "nightly", "node1")
        await election.release(lease)
        with pytest.raises(LeaseOver):
            await election.renew(lease)

    async def test_of_many_candidates_one_is_granted_the_lock(self, election: Election) -> None:
        asked = [election.acquire("nightly", f"node{number}", LONG_S) for number in range(10)]
        leases = [lease for lease in await asyncio.gather(*asked) if lease is not None]
        assert len(leases) == 1

    async def test_watchers_see_the_holder_of_a_lock(self, election: Election) -> None:
        async with asyncio.timeout(DEADLINE_S):
            seen = election.watch("nightly")
            assert await anext(seen) is None
            lease = await granted(election, "nightly", "node1")
            held = await anext(seen)
            assert held is not None
            assert (held.name, held.holder, held.token) == ("nightly", "node1", lease.token)
            await election.release(lease)
            while await anext(seen) is not None:
                pass

    @pytest.mark.parametrize("name", ["", "a/b", "-a", "a" * 129, "a\n"])
    async def test_a_name_of_another_form_is_no_lock(self, election: Election, name: str) -> None:
        with pytest.raises(ValueError, match="name"):
            await election.acquire(name, "node1", LONG_S)

    @pytest.mark.parametrize("ttl_s", [0.0, -1.0, 1e6, float("nan")])
    async def test_a_lease_has_a_time(self, election: Election, ttl_s: float) -> None:
        with pytest.raises(ValueError, match="lasts"):
            await election.acquire("nightly", "node1", ttl_s)

    async def test_a_block_holds_the_lock_and_the_next_one_waits_for_it(self, election: Election) -> None:
        tokens: list[int] = []
        running = 0

        async def work(holder: str) -> None:
            nonlocal running
            async with Locks(election, holder, "blue").acquire("nightly", LONG_S) as token:
                running += 1
                assert running == 1
                tokens.append(token)
                await asyncio.sleep(0)  # sleep: lets another block begin, if it could
                running -= 1

        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(work(f"node{number}") for number in range(4)))
        assert tokens == sorted(set(tokens))
        assert len(tokens) == 4

    async def test_a_block_outlasts_its_lease_because_that_is_renewed(self, election: Election) -> None:
        counting = _Counting(election)
        async with asyncio.timeout(DEADLINE_S), Locks(counting, "node1").acquire("nightly", SHORT_S):
            while counting.renewals < 3:
                await counting.renewed.wait()
                counting.renewed.clear()

    async def test_a_block_is_cancelled_when_its_lease_has_ended(self, election: Election) -> None:
        cut = CutElection(election)
        ended: list[bool] = []

        async def work() -> None:
            async with Locks(cut, "node1", "blue").acquire("nightly", SHORT_S):
                cut.cut = True
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(True)

        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(LeaseOver, match=r"blue\.nightly has ended"):
                await work()
        assert ended
        assert (await granted(election, "blue.nightly", "node2")).holder == "node2"

    async def test_a_block_is_cancelled_when_its_lease_was_taken(self, election: Election) -> None:
        taking = _Taken(election)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(LeaseOver):
                async with Locks(taking, "node1").acquire("nightly", 3.0):
                    await asyncio.Event().wait()

    async def test_a_time_limit_of_the_block_itself_is_no_lost_lease(self, election: Election) -> None:
        with pytest.raises(TimeoutError):
            async with Locks(election, "node1").acquire("nightly", LONG_S), asyncio.timeout(0):
                await asyncio.Event().wait()
        assert (await granted(election, "nightly", "node2")).holder == "node2"


class _Counting(CutElection):
    """An election whose leases seem short to their holder, and last long: a slow machine loses none."""

    def __init__(self, election: Election) -> None:
        super().__init__(election)
        self.renewals = 0
        self.renewed = asyncio.Event()

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        lease = await super().acquire(name, holder, LONG_S)
        return None if lease is None else msgspec.structs.replace(lease, ttl_s=ttl_s)

    async def renew(self, lease: Lease) -> Lease:
        renewed = await super().renew(msgspec.structs.replace(lease, ttl_s=LONG_S))
        self.renewals += 1
        self.renewed.set()
        return msgspec.structs.replace(renewed, ttl_s=lease.ttl_s)


class _Taken(CutElection):
    """An election whose leases are not renewed, because another has them by now."""

    async def renew(self, lease: Lease) -> Lease:
        msg = f"the lease of {lease.name} has ended"
        raise LeaseOver(msg)
