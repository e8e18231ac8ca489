"""Removes nodes from their domain that discovery has not had for some time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

import structlog

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Command
from bookshelf.discovery.port import Discovery
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.machine import NodeMachine

#: Seconds that a node may be absent, and between two looks.
ABSENT_S, _EVERY_S = 3.0, 0.5
#: The address of a node, in the metadata of the instance that shows that it is there.
NODE_ADDRESS = "node"
_logger = structlog.get_logger(__name__)
_Member = tuple[str, int]


class AbsenceWatch:
    """Notes since when each member is absent from discovery."""

    def __init__(self, absent_s: float = ABSENT_S) -> None:
        self._absent_s = absent_s
        self._since: dict[_Member, float] = {}

    def absent(self, members: Mapping[_Member, str], present: Iterable[str], now: float) -> list[_Member]:
        """Return the members, by their addresses, that are absent for long; `now` is monotonic."""
        there = frozenset(present)
        missing = [member for member, address in members.items() if address not in there]
        self._since = {member: self._since.get(member, now) for member in missing}
        return [member for member, since in self._since.items() if now - since >= self._absent_s]

    def forget(self) -> None:
        """Begin anew: discovery cannot be trusted now."""
        self._since.clear()


async def evict_absent_nodes(
    machine: NodeMachine,
    discovery: Discovery,
    send: Callable[[str, Command], Awaitable[None]],
    now: Callable[[], datetime],
) -> None:
    """Look for absent nodes and remove them, until cancelled."""
    watch = AbsenceWatch()
    while True:
        await asyncio.sleep(_EVERY_S)
        known = discovery.snapshot()
        if known.stale:
            watch.forget()
            continue
        present = [
            instance.meta.get(NODE_ADDRESS, f"http://{instance.address}:{instance.port}")
            for instance in known.instances
        ]
        for node, epoch in watch.absent(machine.addresses, present, time.monotonic()):
            try:
                await send(*machine.evict(node, epoch, now()))
            except (Refused, Problem) as fault:
                _logger.warning("node-not-evicted", node=node, why=str(fault))
