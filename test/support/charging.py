"""A connector of the stall: it charges a card for each approved order, and notes the receipt."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Self, cast

import msgspec
from support.counter_context import said
from support.faulty import FaultyLog
from support.fixed_infrastructure import CountedIds, FixedClock
from support.owners import Owners
from support.stall import EVENTS, ORDER, TOPIC, TOPICS, NotePayment, OrderApproved
from support.stall_run import DEADLINE_S, Folded, folded
from support.until import eventually

from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Recorded
from bookshelf.log.port import Log, NewRecord, partition_of
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.process.connector import ConnectorHost
from bookshelf.runtime.process.dead_letters import ProcessLetters, read_letters

NAME = "charging"
PORTS = cast("Any", SimpleNamespace())


class CardProvider:
    """The provider: it charges once for each key, and fails on demand."""

    def __init__(self) -> None:
        #: The subject and the key of each call, in order.
        self.calls: list[tuple[str, str]] = []
        #: The receipt for each key.
        self.charged: dict[str, str] = {}
        #: The faults of the next calls for a subject.
        self.faults: defaultdict[str, deque[Exception]] = defaultdict(deque)
        #: Subjects whose calls do not end, until `answer`.
        self.held: set[str] = set()
        self._answers = asyncio.Event()
        self.running: list[str] = []

    def answer(self) -> None:
        """Let all calls end."""
        self.held.clear()
        self._answers.set()
        self._answers = asyncio.Event()

    async def charge(
        self, _event: OrderApproved, recorded: Recorded, key: str, _ports: object
    ) -> Iterable[Send]:
        order = recorded.subject
        self.calls.append((order, key))
        self.running.append(order)
        try:
            while order in self.held:
                await self._answers.wait()
        finally:
            self.running.remove(order)
        if self.faults[order]:
            raise self.faults[order].popleft()
        receipt = self.charged.setdefault(key, f"receipt for {key}")
        return [Send(ORDER, order, NotePayment(receipt=receipt))]

    @property
    def connector(self) -> Connector:
        return Connector(name=NAME, topic=TOPIC, catalogue=EVENTS, calls={OrderApproved: self.charge})


CHARGING = CardProvider().connector
CHARGING_TOPICS = (*TOPICS, CHARGING.answers, CHARGING.dead_letters)


def approved(order: str) -> NewRecord:
    """The event of an order that was approved."""
    data = msgspec.json.encode(OrderApproved(products=()))
    return said(OrderApproved.TYPE, order, data, source=ORDER.name)


async def approve(log: FaultyLog, *orders: str) -> None:
    """Append that orders were approved, each in its partition."""
    for partition in range(log.partitions(TOPIC)):
        own = [order for order in orders if partition_of(order, log.partitions(TOPIC)) == partition]
        writer = await log.plain.writer("client", TOPIC, partition)
        await writer.append([approved(order) for order in own])
        await writer.close()


class Charging:
    """One instance: owners of orders, and the connector."""

    def __init__(
        self,
        log: FaultyLog,
        provider: CardProvider,
        clock: FixedClock | None = None,
        connector: Connector | None = None,
    ) -> None:
        self.log = log
        self.clock = clock or FixedClock()
        self.meters = Meters()
        self.owners = Owners(log, clock=self.clock, append_s=DEADLINE_S)
        self.host = ConnectorHost(
            connector or provider.connector,
            *(log, self.clock, CountedIds(), self.meters.process(NAME)),
            ports=PORTS,
        )

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(DEADLINE_S):
            await self.owners.host(ORDER)
            await self.host.start()
        return self

    async def __aexit__(self, *fault: object) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.host.stop()
            await self.owners.stop()


async def paid(log: Log, *orders: str) -> Folded:
    """Return the states once these orders, and no others, have as many payments as they are named."""

    async def all_paid() -> bool:
        found = (await folded(log)).orders
        return sorted(name for name, order in found.items() for _ in order.payments) == sorted(orders)

    await eventually(all_paid, f"{orders} are paid", DEADLINE_S)
    return await folded(log)


async def letters_of(log: FaultyLog) -> Sequence[ProcessLetters]:
    topic = CHARGING.dead_letters
    return [await read_letters(log.plain, topic, p) for p in range(log.partitions(topic))]


async def with_open(log: FaultyLog, *orders: str, attempts: int | None = None) -> None:
    """Return once there is a dead letter for each of these orders, and no other."""

    async def there() -> bool:
        listed = [opened for letters in await letters_of(log) for opened in letters.listed()]
        tried = all(attempts in {None, opened.attempts} for opened in listed)
        return tried and sorted(opened.key for opened in listed) == sorted(orders)

    await eventually(there, f"dead letters of {orders} are open", DEADLINE_S)
