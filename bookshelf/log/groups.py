"""Consumer groups within one process: divide a topic's partitions among the members of a group."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from bookshelf.log.port import Change


@dataclass(eq=False, slots=True)
class _Member:
    assigned: Change
    revoked: Change
    owns: frozenset[int] = frozenset()


@dataclass(slots=True)
class Group:
    """The members of one group; every change of members divides the partitions again.

    As in Kafka's eager protocol, all partitions that move are revoked and drained before any is assigned.
    """

    partitions: int
    members: list[_Member] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def join(self, assigned: Change, revoked: Change) -> "GroupMembership":
        """Add a member and divide the partitions again."""
        member = _Member(assigned, revoked)
        async with self.lock:
            self.members.append(member)
            await self._divide()
        return GroupMembership(self, member)

    async def leave(self, member: _Member) -> None:
        """Revoke a member's partitions, then divide them among the others. Leaving twice has no effect."""
        async with self.lock:
            if member not in self.members:
                return
            self.members.remove(member)
            await self._take(member, frozenset())
            await self._divide()

    async def _divide(self) -> None:
        shares = _shares(self.partitions, self.members)
        for member, share in shares:
            await self._take(member, share)
        for member, share in shares:
            gained = share - member.owns
            if gained:
                member.owns = share
                await member.assigned(gained)

    async def _take(self, member: _Member, share: frozenset[int]) -> None:
        lost = member.owns - share
        if lost:
            member.owns -= lost
            await member.revoked(lost)


def _shares(partitions: int, members: Sequence[_Member]) -> list[tuple[_Member, frozenset[int]]]:
    return [
        (member, frozenset(range(place, partitions, len(members)))) for place, member in enumerate(members)
    ]


class GroupMembership:
    """One member's membership, by which it leaves its group."""

    def __init__(self, group: Group, member: _Member) -> None:
        self._group = group
        self._member = member

    async def leave(self) -> None:
        """Return all partitions and leave."""
        await self._group.leave(self._member)
