"""What every log does for members that divide its partitions among them."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from bookshelf.log.port import Log, Membership

TOPIC = "bookshelf"
EVERY = {0, 1, 2}


class Floor:
    """Which member owns which partitions; it fails if a partition has two owners."""

    def __init__(self, log: Log, group: str = "newbook") -> None:
        self._log = log
        self._group = group
        self.owns: dict[str, set[int]] = {}
        self.changes: list[tuple[str, str, frozenset[int]]] = []
        #: Raised by `until`: a log may not pass on what its callbacks raise.
        self.shared: list[str] = []
        self.moved = asyncio.Event()

    async def join(self, member: str) -> Membership:
        self.owns[member] = set()

        async def assigned(partitions: frozenset[int]) -> None:
            self.changes.append((member, "assigned", partitions))
            self.owns[member] |= partitions
            self.shared += [f"{p} at {member}" for p, owners in self.owners().items() if owners > 1]
            self.moved.set()

        async def revoked(partitions: frozenset[int]) -> None:
            self.changes.append((member, "revoked", partitions))
            self.shared += [f"{p} never was at {member}" for p in partitions - self.owns[member]]
            await asyncio.sleep(0)  # sleep: a drain that takes a turn; what is revoked is still owned
            self.owns[member] -= partitions
            self.moved.set()

        return await self._log.join(self._group, TOPIC, assigned, revoked)

    def owners(self) -> Counter[int]:
        return Counter(p for owned in self.owns.values() for p in owned)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the members' shares are as they should be."""
        async with asyncio.timeout(30):
            while not condition():
                self.moved.clear()
                await self.moved.wait()
        assert self.shared == []

    async def divided(self) -> None:
        """Wait until every partition has its one owner."""
        await self.until(lambda: self.owners() == Counter(EVERY))


class GroupContract:
    """Inherit, and give a fixture `log` with three partitions."""

    @pytest.fixture
    def floor(self, log: Log) -> Floor:
        return Floor(log)

    async def test_one_member_has_every_partition(self, floor: Floor) -> None:
        await floor.join("ann")
        await floor.until(lambda: floor.owns["ann"] == EVERY)

    async def test_two_members_divide_the_partitions(self, floor: Floor) -> None:
        await floor.join("ann")
        await floor.join("bob")
        await floor.divided()
        await floor.until(lambda: all(floor.owns.values()))

    async def test_three_members_have_one_each(self, floor: Floor) -> None:
        for member in ("ann", "bob", "cid"):
            await floor.join(member)
        await floor.until(lambda: sorted(len(owned) for owned in floor.owns.values()) == [1, 1, 1])
        await floor.divided()

    async def test_a_surplus_member_has_no_partition_until_another_leaves(self, floor: Floor) -> None:
        members = [await floor.join(name) for name in ("ann", "bob", "cid", "dan")]
        await floor.divided()
        await members[0].leave()
        await floor.until(lambda: bool(floor.owns["dan"]))
        await floor.divided()

    async def test_a_leaving_member_is_revoked_all_and_the_others_take_over(self, floor: Floor) -> None:
        ann = await floor.join("ann")
        await floor.join("bob")
        await floor.divided()
        await ann.leave()
        assert floor.owns["ann"] == set()
        await floor.until(lambda: floor.owns["bob"] == EVERY)

    async def test_a_partition_is_revoked_before_it_is_assigned(self, floor: Floor) -> None:
        await floor.join("ann")
        await floor.until(lambda: floor.owns["ann"] == EVERY)
        floor.changes.clear()
        await floor.join("bob")
        await floor.divided()
        await floor.until(lambda: all(floor.owns.values()))
        whats = [what for _, what, _ in floor.changes]
        assert whats[0] == "revoked"
        gained = next(parts for member, what, parts in floor.changes if (member, what) == ("bob", "assigned"))
        lost = frozenset().union(*(parts for _, what, parts in floor.changes if what == "revoked"))
        assert gained <= lost

    async def test_leaving_twice_is_like_leaving_once(self, floor: Floor) -> None:
        ann = await floor.join("ann")
        await floor.divided()
        await ann.leave()
        await ann.leave()
        assert floor.owns["ann"] == set()

    async def test_after_the_last_member_left_a_new_one_gets_all_partitions(self, floor: Floor) -> None:
        ann = await floor.join("ann")
        await ann.leave()
        await floor.join("bob")
        await floor.until(lambda: floor.owns["bob"] == EVERY)

    async def test_groups_are_independent(self, log: Log) -> None:
        newbook, readbook = Floor(log, "newbook"), Floor(log, "readbook")
        await newbook.join("ann")
        await readbook.join("ann")
        await newbook.until(lambda: newbook.owns["ann"] == EVERY)
        await readbook.until(lambda: readbook.owns["ann"] == EVERY)

    async def test_members_that_come_and_go_at_once_never_share_a_partition(self, floor: Floor) -> None:
        async def come_and_go(member: str) -> None:
            for _ in range(5):
                membership = await floor.join(member)
                await membership.leave()

        await floor.join("stays")
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            for n in range(4):
                tasks.create_task(come_and_go(f"guest-{n}"))
        await floor.until(lambda: floor.owns["stays"] == EVERY)
