"""Where the records of one append go."""

from collections.abc import Callable, Sequence

from bookshelf.log.partition import partition_of
from bookshelf.log.port import NewRecord

#: A topic and a partition.
Place = tuple[str, int]


def places(records: Sequence[NewRecord], own: Place, partitions: Callable[[str], int]) -> list[Place]:
    """Return each record's place: the writer's own, or its key's partition of the topic that it names."""
    return [
        own
        if record.topic in {"", own[0]}
        else (record.topic, partition_of(record.key, partitions(record.topic)))
        for record in records
    ]
