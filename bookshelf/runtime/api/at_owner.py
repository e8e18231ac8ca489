"""Does something with the owner of a partition: here, at the instance that has it, or once it has moved."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bookshelf.concurrency import first_of
from bookshelf.cqrs.errors import Changed
from bookshelf.cqrs.position import Position
from bookshelf.runtime.aggregate.command import NotOwner
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.api.forwarding import Forwarder

T = TypeVar("T")

#: Seconds that a call waits for an owner while its partition moves, which takes 0.7 s, 2 s on a busy machine.
#: A move from a killed owner begins when its session with the group is over (`session_s`, 6 s). The gateway
#: gives one attempt more time than this (`gateway_try_s`, 10 s), and makes another one after it.
MOVE_S = 8.0
#: Seconds between two attempts while discovery reports no change, doubled from the first to the last: an
#: owner may lose the partition for a moment, and discovery does not notice it.
_AGAIN_S, _LAST_S = 0.1, 1.0


def changed_at(host: AggregateHost, subject: str, changed: Changed) -> Changed:
    """Return the refusal of a version that is no longer the newest one, with the position of that one."""
    if changed.version < 0:
        return changed
    position = Position(host.aggregate.topic, host.partition(subject), changed.version)
    return Changed(changed.detail, changed.version, position)


async def at_owner(
    host: AggregateHost,
    onward: Forwarder,
    size: int,
    here: Callable[[], Awaitable[T]],
    there: Callable[[int], Awaitable[T | None]],
    until: float,
) -> T:
    """Return the result of `here`, or of `there(partition)` if the owner is elsewhere.

    `there` returns None if no other owner is known, or none of them owns the partition any more; then this
    waits until the partition has moved, at most until the loop's time `until`. `size` is the bytes that wait
    meanwhile. Raises `NotOwner`, `Busy`, or what the functions raise.
    """
    loop, pause_s = asyncio.get_running_loop(), _AGAIN_S
    while True:
        owned, instances = host.owned, onward.instances
        try:
            return await here()
        except NotOwner as elsewhere:
            partition = elsewhere.partition
            result = await there(partition)
            if result is not None:
                return result
        with host.waiting(size):
            again = min(until, loop.time() + pause_s)
            if not await first_of((host.moved(owned), onward.moved(instances)), again) and again >= until:
                raise NotOwner(partition)
        pause_s = min(2 * pause_s, _LAST_S)
