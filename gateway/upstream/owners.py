"""Who owns which partition of an aggregate, as the instances themselves say."""

from collections.abc import Iterable

from bookshelf.runtime.api.ownership import owned, partition, partitions
from gateway.upstream.endpoint import UpstreamEndpoint

_UNKNOWN = 0


class Owners:
    """The owners of one aggregate's partitions; none if instances disagree on how many there are."""

    __slots__ = ("_by_partition", "_count")

    def __init__(self, aggregate: str, endpoints: Iterable[UpstreamEndpoint]) -> None:
        said = {one: partitions(one.instance.meta, aggregate) for one in endpoints}
        counts = {count for count in said.values() if count}
        self._count = counts.pop() if len(counts) == 1 else _UNKNOWN
        self._by_partition = {number: one for one in said for number in owned(one.instance.meta, aggregate)}

    def of(self, subject: str) -> UpstreamEndpoint | None:
        """Return the owner of an id's partition, None if it is not known."""
        if self._count == _UNKNOWN:
            return None
        return self._by_partition.get(partition(subject, self._count))
