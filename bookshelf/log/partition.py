"""Maps keys to partitions by Kafka's own rule, so that every Kafka client computes the same partition."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from bookshelf.log.port import NewRecord

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 of data, seeded as Kafka's DefaultPartitioner seeds it."""
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(maxsize=4096)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key among `partitions` (1 or more)."""
    if partitions == 1:
        return 0
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


#: A topic and a partition.
Place = tuple[str, int]


def positions_of(records: Sequence[NewRecord], own: Place, partitions: Callable[[str], int]) -> list[Place]:
    """Return each record's topic and partition: the writer's own, or its key's partition of its topic."""
    return [
        own
        if record.topic in {"", own[0]}
        else (record.topic, partition_of(record.key, partitions(record.topic)))
        for record in records
    ]
