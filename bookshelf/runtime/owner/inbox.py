"""An owner's reading of the topic of its commands: orders go into the mailbox, a share at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from bookshelf.log.port import LogFault, LogFull, OutOfRange, Record, Tail
from bookshelf.runtime.owner.command import NotOwner, Sent
from bookshelf.runtime.owner.mailbox import Mailbox
from bookshelf.runtime.owner.orders import Arrived, Orders
from bookshelf.runtime.owner.seat import Seat
from bookshelf.runtime.owner.suspicion import Suspicion
from bookshelf.runtime.owner.tasks import ended
from bookshelf.runtime.supervisor import Supervisor

#: Orders under way together. More are read once these are written, so a flood waits in the log.
_TOGETHER = 500
_logger = structlog.get_logger(__name__)


class Inbox:
    """Reads one partition of orders while the pen is held, from where the pen's appends say.

    When the log does not take a share, each of it is delivered alone, until the one at fault is found.
    """

    def __init__(self, seat: Seat, mailbox: Mailbox) -> None:
        self._seat = seat
        self._log = seat.means.log
        self._topic = seat.aggregate.commands
        self._mailbox = mailbox
        self._supervisor = Supervisor(f"orders to {seat.aggregate.name} in partition {seat.partition}")
        self._next: int | None = None
        self._alone_before = 0
        self._suspicion = Suspicion(-1, seat.means.clock)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Read until the block ends; the pen was taken before."""
        self._next = None
        self._mailbox.forget_orders()
        reading = asyncio.create_task(self._supervisor.keep(self._read))
        try:
            yield
        finally:
            await ended(reading)

    async def _read(self) -> None:
        orders, tail = self._orders(), await self._tail()
        try:
            while True:
                records = await tail.take(_TOGETHER)
                alone = bool(records) and records[0].offset < self._alone_before
                for share in [[record] for record in records] if alone else [records]:
                    await self._deliver(orders, share)
        except NotOwner:
            return  # the owner is leaving: who comes next reads on
        finally:
            await tail.close()

    def _orders(self) -> Orders:
        aggregate = self._seat.aggregate
        partitions, ordered = self._log.partitions(aggregate.topic), self._log.partitions(self._topic)
        if partitions != ordered:
            msg = f"{self._topic} has {ordered} partitions and {aggregate.topic} {partitions}: make it anew"
            raise LogFault(msg)
        return Orders(aggregate, partitions, self._seat.means.clock)

    async def _tail(self) -> Tail:
        place = (self._topic, self._seat.partition)
        if self._next is None:
            self._next = await self._log.consumed(self._seat.aggregate.name, *place)
        start = await self._log.start(*place)
        where = {"topic": self._topic, "partition": place[1], "start": start, "next": self._next}
        if self._next < start:
            _logger.warning("orders-expired", **where)  # the topic keeps them for its retention only
            self._next = start
        try:
            return await self._log.tail(*place, self._next)
        except OutOfRange:
            _logger.warning("orders-begin-anew", **where)  # it is another topic than the one that was read
            return await self._log.tail(*place, start)

    async def _deliver(self, orders: Orders, share: Sequence[Record]) -> None:
        """Return once these are worked through. Raises `LogFault`: nothing of them was written."""
        if not share:
            return
        if len(share) == 1:
            await self._deliver_alone(orders, share[0])
        else:
            try:
                await self._put([orders.read(record) for record in share])
            except LogFault:
                self._alone_before = share[-1].offset + 1
                raise
        self._next = share[-1].offset + 1
        self._supervisor.well()

    async def _deliver_alone(self, orders: Orders, record: Record) -> None:
        if self._suspicion.offset != record.offset:
            self._suspicion = Suspicion(record.offset, self._seat.means.clock)
        trial = self._suspicion.trial
        try:
            await self._put([self._suspicion.softened(*orders.read(record))])
        except LogFull:
            raise  # a full disk is no order's fault
        except LogFault:
            self._suspicion.failed()
            raise
        if trial:
            self._suspicion.taken()
            await self._deliver_alone(orders, record)

    async def _put(self, orders: Sequence[tuple[Sent, Arrived]]) -> None:
        """Return once they were decided and what that led to is written. Raises `LogFault`: nothing was."""
        answers = await asyncio.gather(self._mailbox.put_orders(orders), return_exceptions=True)
        if isinstance(answers[0], LogFault):
            raise answers[0]
