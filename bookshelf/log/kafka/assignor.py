"""How a group divides a topic: evenly, and each member keeps what it had, for its state is still warm.

aiokafka's own sticky assignor keeps its memory in the class, for every member of a process at once.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[int]).decode


def shares(claims: Mapping[str, Sequence[int]], partitions: Iterable[int]) -> dict[str, list[int]]:
    """Divide the partitions among the members, who claim what they had before.

    No member has more than one partition more than another; a claim of two goes to one of them.
    """
    free = set(partitions)
    each, over = divmod(len(free), len(claims))
    given: dict[str, list[int]] = {}
    # who claims most keeps one of those that are over: fewest move
    for member in sorted(claims, key=lambda one: (-len(claims[one]), one)):
        most = each + (over > 0)
        given[member] = [p for p in sorted(claims[member]) if p in free][:most]
        over -= len(given[member]) > each
        free.difference_update(given[member])
    for partition in sorted(free):
        given[min(given, key=lambda one: (len(given[one]), one))].append(partition)
    return given


class Assignor:
    """One member's part: it claims what it was given the last time, and divides when it leads the group."""

    name = "bookshelf"
    version = 0

    def __init__(self) -> None:
        self._mine: list[int] = []

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return what the member says of itself when it joins."""
        return ConsumerProtocolMemberMetadata(self.version, list(topics), _encode(self._mine))

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Divide each topic among those who want it, as the leader."""
        given: dict[str, list[tuple[str, list[int]]]] = {member: [] for member in members}
        for topic in sorted({topic for one in members.values() for topic in one.subscription}):
            wanting = {member: one for member, one in members.items() if topic in one.subscription}
            claims = {member: _claimed(one.user_data) for member, one in wanting.items()}
            for member, share in shares(claims, cluster.partitions_for_topic(topic) or ()).items():
                given[member].append((topic, sorted(share)))
        return {
            member: ConsumerProtocolMemberAssignment(self.version, share, b"")
            for member, share in given.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what is ours now."""
        self._mine = [where.partition for where in assignment.partitions()]


def _claimed(said: bytes | None) -> list[int]:
    try:
        return _decode(said or b"[]")
    except msgspec.DecodeError:
        return []
