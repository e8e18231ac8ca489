"""Who owns what, as instances say it in their metadata, and which partition something belongs to."""

from collections.abc import Mapping
from uuid import UUID, uuid5

from bookshelf.log.partition import partition_of

#: Keys of metadata: the partitions that an instance owns of an aggregate, like `0,3`; and of how many.
OWNS = "owns-"
PARTITIONS = "partitions-"
_IDS = UUID("6f1c1a52-7c0e-5d5b-9d42-0b6f0a5e7c11")


def owns(aggregate: str, owned: frozenset[int], partitions: int) -> dict[str, str]:
    """Return the metadata by which an instance says what it owns."""
    return {
        OWNS + aggregate: ",".join(map(str, sorted(owned))),
        PARTITIONS + aggregate: str(partitions),
    }


def owned(meta: Mapping[str, str], aggregate: str) -> frozenset[int]:
    """Return the partitions that an instance says to own; what is wrong in it is left out."""
    numbers = meta.get(OWNS + aggregate, "").split(",")
    return frozenset(int(number) for number in numbers if number.isascii() and number.isdigit())


def partitions(meta: Mapping[str, str], aggregate: str) -> int:
    """Return how many partitions an instance says that there are; 0 if it does not say."""
    said = meta.get(PARTITIONS + aggregate, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 5 else 0  # noqa: PLR2004 (no more digits)


def partition(subject: str, count: int) -> int:
    """Return the partition of an aggregate's id."""
    return partition_of(subject, count)


def created(command_id: str) -> str:
    """Return the id of what a command creates: the same command makes the same thing."""
    return str(uuid5(_IDS, command_id))
