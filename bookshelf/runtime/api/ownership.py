"""Writes and reads the partitions that an instance owns, in the metadata of its registration."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from uuid import UUID, uuid5

from bookshelf.log.port import partition_of

#: Keys of metadata: the partitions of an aggregate that an instance owns, like `0,3`; how many there are.
OWNS = "owns-"
PARTITIONS = "partitions-"
#: Bytes of one value of metadata: Consul's limit.
_META_BYTES = 512
_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", re.ASCII)
_BITS = "bits:"
#: Characters of the id of a message.
_ID_MOST = 255
_IDS = UUID("6f1c1a52-7c0e-5d5b-9d42-0b6f0a5e7c11")
_COMMANDS = UUID("0b9c3a44-52e1-5f0f-8d3c-7a1b6c2de940")


def owns(aggregate: str, owned: frozenset[int], partitions: int) -> dict[str, str]:
    """Return the metadata that lists the partitions that an instance owns.

    The value is the first of three forms that fits into a value of metadata: numbers (`0,3`), which releases
    before this one read too; ranges (`0-154,160`); the set as a hexadecimal number whose bit n is partition n
    (`bits:5`), which fits for any set of up to 2,028 partitions.
    """
    forms = (_numbers, _ranges, _bits)
    return {
        OWNS + aggregate: next((v for form in forms if len(v := form(owned)) <= _META_BYTES), _bits(owned)),
        PARTITIONS + aggregate: str(partitions),
    }


def _numbers(owned: Iterable[int]) -> str:
    return ",".join(map(str, sorted(owned)))


def _ranges(owned: Iterable[int]) -> str:
    runs = [
        [number for _, number in run]
        for _, run in groupby(enumerate(sorted(owned)), key=lambda pair: pair[1] - pair[0])
    ]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _bits(owned: Iterable[int]) -> str:
    return f"{_BITS}{sum(1 << number for number in owned):x}"


def owned(meta: Mapping[str, str], aggregate: str) -> frozenset[int]:
    """Return the partitions that an instance claims to own; malformed parts of the value are left out."""
    value = meta.get(OWNS + aggregate, "")
    if value.startswith(_BITS):
        return _from_bits(value.removeprefix(_BITS))
    matches = (_RANGE.fullmatch(part) for part in value.split(","))
    return frozenset(
        number
        for match in matches
        if match is not None
        for number in range(int(match[1]), int(match[2] or match[1]) + 1)
    )


def _from_bits(digits: str) -> frozenset[int]:
    if not re.fullmatch(r"[0-9a-f]{1,2500}", digits):
        return frozenset()
    bits = int(digits, 16)
    return frozenset(number for number in range(bits.bit_length()) if bits >> number & 1)


def partitions(meta: Mapping[str, str], aggregate: str) -> int:
    """Return the number of partitions in an instance's metadata; 0 if it has none."""
    text = meta.get(PARTITIONS + aggregate, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0  # noqa: PLR2004 (no more digits)


def partition(subject: str, count: int) -> int:
    """Return the partition that an aggregate's id belongs to."""
    return partition_of(subject, count)


def command_id(actor: str, key: str) -> str:
    """Return the id of the command with an idempotency key: people with the same key have other commands.

    For the local reader it is the key.
    """
    return key if actor == "reader" else str(uuid5(_COMMANDS, f"{actor}\n{key}"))


def call_id(actor: str, key: str) -> str:
    """Return the id of the command of a handler with an idempotency key: `command_id`, as a message's id.

    A key may have spaces, and with a prefix more than 255 characters, which the id of a message has not.
    """
    made = command_id(actor, key)
    return made if len(made) <= _ID_MOST and " " not in made else str(uuid5(_COMMANDS, f"{actor}\n{key}"))


@lru_cache(maxsize=256)  # an endpoint asks twice for each command
def created(command_id: str) -> str:
    """Return the id of the aggregate that a command creates: derived from the command's id, so repeatable."""
    return str(uuid5(_IDS, command_id))
