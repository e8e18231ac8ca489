"""Runs the stall: its owners and its process over one log; folds what the log has."""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any, Self

import msgspec
from support.counter_context import everything
from support.faulty import FaultyLog
from support.fixed_infrastructure import NOW, CountedIds, FixedClock
from support.owners import Owners
from support.stall import (
    AGGREGATES,
    EVENTS,
    ORDER,
    SELLING,
    STOCK,
    TOPIC,
    TOPICS,
    Order,
    PlaceOrder,
    Stock,
    SupplyUnits,
)
from support.until import eventually

from bookshelf.cqrs.message import Command
from bookshelf.cqrs.process import Process
from bookshelf.log.port import Log, NewRecord, Record
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.process.host import process_host

DEADLINE_S = 30
_numbers = count()


def by_topic(name: str, subject: str, command: Command) -> NewRecord:
    """A command of a client, by topic."""
    return command_message(
        AGGREGATES[name], command, id=f"client-{next(_numbers)}", source="tests", subject=subject, time=NOW
    )


def supplied(product: str, units: int) -> NewRecord:
    return by_topic("stock", product, SupplyUnits(units=units))


def placed(order: str, **lines: int) -> NewRecord:
    return by_topic("order", order, PlaceOrder(lines=lines))


async def append(log: FaultyLog, *records: NewRecord) -> None:
    """Append as a client, without the faults of the log."""
    writer = await log.plain.writer("client", TOPIC, 0)
    await writer.append(records)
    await writer.close()


class Folded:
    """The states of all orders and stocks, folded from the log alone."""

    def __init__(self, records: list[Record]) -> None:
        self.orders: dict[str, Order] = {}
        self.stocks: dict[str, Stock] = {}
        self.events: list[str] = []
        for record in records:
            self._fold(record)

    def _fold(self, record: Record) -> None:
        try:
            envelope = msgspec.json.decode(record.value)
        except msgspec.DecodeError:
            return
        event = EVENTS.decode(envelope["type"], msgspec.json.encode(envelope["data"]))
        if event is None:
            return
        states: dict[str, Any] = self.orders if envelope["source"] == ORDER.name else self.stocks
        aggregate = AGGREGATES[envelope["source"]]
        states[record.key] = aggregate.evolve(states.get(record.key, aggregate.initial), event)
        self.events.append(envelope["id"])
        self.check()

    def check(self) -> None:
        """The laws that hold at each record."""
        assert all(stock.free >= 0 for stock in self.stocks.values())

    @property
    def ends(self) -> dict[str, str]:
        """How each order ended; empty while it is open."""
        return {name: order.end for name, order in self.orders.items()}

    @property
    def at_rest(self) -> bool:
        """True if every order has ended and nothing is held."""
        return all(self.ends.values()) and not any(stock.holds for stock in self.stocks.values())


async def folded(log: Log) -> Folded:
    return Folded(await everything(log, TOPIC))


async def come_to_rest(log: Log, orders: int) -> Folded:
    """Return the states once so many orders have ended, and nothing is held."""

    async def rests() -> bool:
        found = await folded(log)
        return len(found.orders) == orders and found.at_rest

    await eventually(rests, f"{orders} orders come to rest", DEADLINE_S)
    return await folded(log)


class Stall:
    """One instance: owners of orders and stocks, and the process."""

    def __init__(self, log: FaultyLog, process: Process = SELLING, clock: FixedClock | None = None) -> None:
        self.log = log
        self.clock = clock or FixedClock()
        self.meters = Meters()
        self.owners = Owners(log, clock=self.clock, append_s=DEADLINE_S)
        self.host = process_host(process, log, self.clock, CountedIds(), self.meters.process(process.name))

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(DEADLINE_S):
            for aggregate in (ORDER, STOCK):
                await self.owners.host(aggregate)
            await self.host.start()
        return self

    async def __aexit__(self, *fault: object) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.host.stop()
            await self.owners.stop()


async def letters(log: Log, process: Process = SELLING) -> list[Mapping[str, Any]]:
    """The records of the process's dead letters: their type and their data."""
    found = [msgspec.json.decode(record.value) for record in await everything(log, process.dead_letters)]
    return [{"type": envelope["type"], **envelope["data"]} for envelope in found]


async def all_read(stall: Stall) -> None:
    """Return once the process and the owners have handled everything that is in the log."""
    log = stall.log.plain

    async def none_left() -> bool:
        ends = {topic: await _ends(log, topic) for topic in TOPICS}
        events = [stall.host.positions.get(p, 0) >= end for p, end in enumerate(ends[TOPIC])]
        consumed = [
            await log.consumed(name, topic, p) >= end
            for name, topic in _CONSUMERS
            for p, end in enumerate(ends[topic])
        ]
        return all(events) and all(consumed)

    await eventually(none_left, "everything is handled", DEADLINE_S)


_CONSUMERS = [
    (ORDER.name, ORDER.commands),
    (STOCK.name, STOCK.commands),
    (SELLING.name, SELLING.answers),
]


async def _ends(log: Log, topic: str) -> list[int]:
    """Return the offset after the last record of each partition: on Kafka that is less than the end."""
    ends = [0] * log.partitions(topic)
    for record in await everything(log, topic):
        ends[record.partition] = record.offset + 1
    return ends
