"""Hosts of the tally view over one log and one storage, and a view that can be broken and repaired."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

from support.counter_context import PLAIN_INSERT, TOPIC, VIEW, Counted, count_row, sums
from support.fixed_infrastructure import view_meters

from bookshelf.cqrs.position import Position
from bookshelf.cqrs.view import Change, Recorded, View
from bookshelf.log.port import Log
from bookshelf.runtime.sealing import Seals
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.port import Storage

DEADLINE_S = 30
#: What a tally that is counted by this does to the fragile view.
BREAKS_HANDLER, BREAKS_STATEMENT, TOO_LARGE = 13, 666, 2**70


class BreakableView:
    """A view whose handler has a defect and whose statements can fail, until it is repaired."""

    def __init__(self) -> None:
        self.repaired = False
        self.view = replace(VIEW, handlers={Counted: self._counted})

    def _counted(self, event: Any, recorded: Recorded) -> Sequence[Change]:  # noqa: ANN401 (one event's)
        if self.repaired or event.by not in {BREAKS_HANDLER, BREAKS_STATEMENT}:
            return count_row(event, recorded)
        if event.by == BREAKS_HANDLER:
            msg = "a defect of the handler"
            raise ZeroDivisionError(msg)
        return [*count_row(event, recorded), (PLAIN_INSERT, {"id": recorded.subject, "sum": 0})]


class Views:
    """A test's hosts of one view; all of them stop."""

    def __init__(self, log: Log, storage: Storage, patience_s: float = DEADLINE_S) -> None:
        self.log = log
        self.storage = storage
        self._patience_s = patience_s
        self.seals = Seals()
        self._hosts: list[ViewHost] = []

    async def host(self, view: View = VIEW) -> ViewHost:
        """Return a host that has caught up."""
        host = ViewHost(view, self.log, self.storage, view_meters(), self._patience_s, self.seals)
        self._hosts.append(host)
        async with asyncio.timeout(DEADLINE_S):
            await host.start()
        return host

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop every host."""
        async with asyncio.timeout(DEADLINE_S):
            for host in self._hosts:
                await host.stop()
        self._hosts.clear()


async def caught_up(host: ViewHost, log: Log) -> None:
    """Wait until all that is in the log by now is in the rows."""
    topic = host.view.topic
    ends = {p: await log.end(topic, p) for p in range(log.partitions(topic))}
    async with asyncio.timeout(DEADLINE_S):
        await host.rows.reach(ends)


async def answer(host: ViewHost, log: Log) -> dict[str, int]:
    """Return what the tally view answers once it has caught up."""
    await caught_up(host, log)
    found: dict[str, int] = await host.query(sums)
    return found


def place(partition: int, offset: int) -> Position:
    return Position(TOPIC, partition, offset)
