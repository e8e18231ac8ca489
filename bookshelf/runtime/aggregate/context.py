"""What an owner is given to work with."""

from dataclasses import dataclass, field
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.port import Log
from bookshelf.runtime.aggregate.command_queue import Room
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.metrics import OwnerMeters

#: Seconds after which an append that has not answered is an unknown outcome.
APPEND_S = 10.0


@dataclass(frozen=True, slots=True)
class OwnerDependencies:
    """What all owners of a host work with. `append_s` is when an append has become an unknown outcome.

    `room` counts the bytes of the commands of all of them.
    """

    log: Log
    ids: Ids
    clock: Clock
    meters: OwnerMeters
    append_s: float = APPEND_S
    room: Room = field(default_factory=Room)


@dataclass(frozen=True, slots=True)
class PartitionContext:
    """One partition of one aggregate, and the means to own it."""

    aggregate: Aggregate[Any]
    partition: int
    dependencies: OwnerDependencies
