"""The dependencies of an owner: the partition that it runs, and the ports that it uses."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.log.port import Log
from bookshelf.runtime.aggregate.command_queue import Room
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.metrics import OwnerMeters

#: Seconds after which an unanswered append counts as an unknown outcome.
APPEND_S = 10.0


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(frozen=True, slots=True)
class OwnerDependencies:
    """The ports that all owners of a host share.

    `append_s`: seconds after which an unanswered append counts as an unknown outcome. `room` counts the bytes
    of the commands of all these owners. `has_accounts`: personal texts that are not sealed are refused.
    `resumed` is set, except while a rollout pauses the service.
    """

    log: Log
    ids: Ids
    clock: Clock
    meters: OwnerMeters
    append_s: float = APPEND_S
    room: Room = field(default_factory=Room)
    has_accounts: bool = False
    resumed: asyncio.Event = field(default_factory=_set_event)


@dataclass(frozen=True, slots=True)
class PartitionContext:
    """One partition of one aggregate, with the dependencies of its owner."""

    aggregate: Aggregate[Any]
    partition: int
    dependencies: OwnerDependencies
