"""Sticky partition assignor: divides a topic evenly and leaves members the partitions that they had.

A member still has the state of its former partitions in memory. aiokafka's own sticky assignor keeps the
former partitions in the class, where all members of a process would share them.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[int]).decode


def shares(claims: Mapping[str, Sequence[int]], partitions: Iterable[int]) -> dict[str, list[int]]:
    """Divide the partitions among the members; each claims the partitions that it had before.

    No member gets more than one partition more than another. A partition that two members claim goes to one.
    """
    free = set(partitions)
    each, over = divmod(len(free), len(claims))
    given: dict[str, list[int]] = {}
    # members with the most claims get the surplus partitions, so that the fewest partitions move
    for member in sorted(claims, key=lambda name: (-len(claims[name]), name)):
        most = each + (over > 0)
        given[member] = [p for p in sorted(claims[member]) if p in free][:most]
        over -= len(given[member]) > each
        free.difference_update(given[member])
    for partition in sorted(free):
        given[min(given, key=lambda name: (len(given[name]), name))].append(partition)
    return given


class Assignor:
    """One member's assignor: claims the member's last partitions, and assigns for all if it is the leader."""

    name = "bookshelf"
    version = 0

    def __init__(self) -> None:
        self._mine: list[int] = []

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return the metadata with which the member joins: its topics and its last partitions."""
        return ConsumerProtocolMemberMetadata(self.version, list(topics), _encode(self._mine))

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Divide each topic among the members that subscribe to it; called on the group's leader."""
        given: dict[str, list[tuple[str, list[int]]]] = {member: [] for member in members}
        for topic in sorted({topic for metadata in members.values() for topic in metadata.subscription}):
            wanting = {name: metadata for name, metadata in members.items() if topic in metadata.subscription}
            claims = {name: _claimed(metadata.user_data) for name, metadata in wanting.items()}
            for member, share in shares(claims, cluster.partitions_for_topic(topic) or ()).items():
                given[member].append((topic, sorted(share)))
        return {
            member: ConsumerProtocolMemberAssignment(self.version, share, b"")
            for member, share in given.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember the partitions that the member has now."""
        self._mine = [where.partition for where in assignment.partitions()]


def _claimed(user_data: bytes | None) -> list[int]:
    try:
        return _decode(user_data or b"[]")
    except msgspec.DecodeError:
        return []
