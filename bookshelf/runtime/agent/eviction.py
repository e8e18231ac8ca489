"""Removes nodes from their domain that discovery has not had for some time.

A node that does not read the log in a rollout leaves discovery by itself (cli/node_presence.py). While the
log is away for all, all do: so an absence counts only while the node that notes it reads the log.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

import structlog

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Command
from bookshelf.discovery.port import Discovery
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.contact import LogContact
from bookshelf.runtime.agent.machine import NodeMachine

#: Seconds that a node may be absent, and between two looks.
ABSENT_S, _EVERY_S = 3.0, 0.5
#: Seconds that all nodes have for their return to discovery once the log was away.
RETURN_S = 5.0
#: The address of a node, in the metadata of the instance that shows that it is there.
NODE_ADDRESS = "node"
#: The process that is there. A new one at the same address is not the member until it has joined.
NODE_PROCESS = "process"
_logger = structlog.get_logger(__name__)
_Member = tuple[str, int]


class AbsenceWatch:
    """Notes since when each member is absent from discovery. All times are monotonic, in seconds."""

    def __init__(self, absent_s: float = ABSENT_S, return_s: float = RETURN_S) -> None:
        self._absent_s = absent_s
        self._return_s = return_s
        self._since: dict[_Member, float] = {}
        self._not_before = 0.0

    def absent(
        self, members: Mapping[_Member, tuple[str, str]], present: Iterable[tuple[str, str]], now: float
    ) -> list[_Member]:
        """Return the members, by their addresses and processes, that are absent for long.

        Any process is present whose address is there with the process "", as of a former version.
        """
        there = frozenset(present)
        missing = [one for one, place in members.items() if there.isdisjoint({place, (place[0], "")})]
        begin = max(now, self._not_before)
        self._since = {member: self._since.get(member, begin) for member in missing}
        return [member for member, since in self._since.items() if now - since >= self._absent_s]

    @property
    def has_absent(self) -> bool:
        """True if a member was absent at the last look."""
        return bool(self._since)

    def forget(self) -> None:
        """Begin anew: discovery cannot be trusted now."""
        self._since.clear()

    def lose_log(self, now: float) -> None:
        """Begin anew, once all nodes have had time to return: the log is away, maybe for them, too."""
        self.forget()
        self._not_before = now + self._return_s


async def evict_absent_nodes(
    machine: NodeMachine,
    contact: LogContact,
    discovery: Discovery,
    send: Callable[[str, Command], Awaitable[None]],
    now: Callable[[], datetime],
    watch: AbsenceWatch | None = None,
) -> None:
    """Look for absent nodes and remove them, until cancelled. `contact`: that of this node with the log."""
    watch = watch or AbsenceWatch()
    while True:
        await asyncio.sleep(_EVERY_S)
        if not contact.is_there or (watch.has_absent and not await contact.look()):
            watch.lose_log(time.monotonic())
            continue
        known = discovery.snapshot()
        if known.stale:
            watch.forget()
            continue
        # a service that runs in a node stays there while the node itself is away
        metas = [instance.meta for instance in known.instances if not instance.foreign]
        present = [(meta[NODE_ADDRESS], meta.get(NODE_PROCESS, "")) for meta in metas if NODE_ADDRESS in meta]
        for node, epoch in watch.absent(machine.processes, present, time.monotonic()):
            try:
                await send(*machine.evict(node, epoch, now()))
            except (Refused, Problem) as fault:
                _logger.warning("node-not-evicted", node=node, why=str(fault))
