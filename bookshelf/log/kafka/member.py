"""Membership in a Kafka consumer group: which partitions this process has, and drains when they move.

aiokafka supports only Kafka's eager protocol: at every change all members drain and return all partitions
before any is assigned. The assignor returns most of them to the member that had them.
"""

import asyncio
import contextlib
from collections.abc import Set as AbstractSet

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition, errors

from bookshelf.log.kafka.clients import Assignor, Clients, start_client, stop_consumer
from bookshelf.log.kafka.faults import message_of
from bookshelf.log.port import Change, LogFault

#: Milliseconds of one poll, which reports faults of the group. The group removes a member that does not poll.
_LOOK_MS = 1000
_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 5.0
_logger = structlog.get_logger(__name__)


class KafkaMembership:
    """A membership from `join` to `leave`; it joins again by itself after a fault of the group."""

    def __init__(self, clients: Clients, group: str, topic: str, assigned: Change, revoked: Change) -> None:
        self._clients = clients
        self._group = group
        self._topic = clients.settings.prefix + topic
        self._shares = _Shares(assigned, revoked)
        self._assignor = Assignor()
        self._keeping: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Join, and wait for the first assignment, which may be empty. Raises `LogFault`."""
        settings = self._clients.settings
        self._keeping = asyncio.create_task(self._keep())
        first = asyncio.create_task(self._shares.first.wait())
        patience_s = settings.rebalance_s + settings.ask_s
        await asyncio.wait({first, self._keeping}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        if self._shares.first.is_set():
            return
        ended = self._keeping.done()
        await self.leave()
        why = message_of(self._keeping.exception() or LogFault()) if ended else f"not within {patience_s:g} s"
        msg = f"the group {self._group} cannot be joined: {why}"
        raise LogFault(msg)

    async def leave(self) -> None:
        """Return all partitions and leave; a second call has no effect."""
        if self._keeping is None:
            return
        if not self._shares.leaving:  # a second cancellation would cut the drain short
            self._shares.leaving = True
            self._keeping.cancel()
        await asyncio.wait({self._keeping})

    @property
    def gone(self) -> bool:
        """True if this member has left, or could not join."""
        return self._keeping is not None and self._keeping.done()

    async def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await self._be_member()
            except Exception as fault:
                refused = isinstance(fault, errors.KafkaError) and not fault.retriable
                if refused and not self._shares.first.is_set():
                    raise
                _logger.warning(
                    "membership-lost", group=self._group, why=message_of(fault), again_in_s=pause_s
                )
            if self._shares.leaving:  # a drain that failed has taken the place of the cancellation
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    async def _be_member(self) -> None:
        consumer = self._clients.member(self._group, self._assignor)
        consumer.subscribe([self._topic], listener=_Listener(consumer, self._shares))
        try:
            await start_client(consumer)
            while True:
                await consumer.getmany(timeout_ms=_LOOK_MS)
        finally:
            try:
                # drained while still a member: its partitions are not assigned to others before it leaves
                await self._shares.give_back()
            finally:
                await stop_consumer(consumer)


class _Shares:
    """The partitions of this member. The callbacks for changes are awaited one after the other."""

    def __init__(self, assigned: Change, revoked: Change) -> None:
        self._assigned = assigned
        self._revoked = revoked
        self._turn = asyncio.Lock()
        self._owned: frozenset[int] = frozenset()
        self.first = asyncio.Event()
        self.leaving = False

    async def get(self, partitions: frozenset[int]) -> None:
        async with self._turn:
            if self.leaving:
                return
            if partitions:
                self._owned = partitions
                await self._assigned(partitions)
            self.first.set()

    async def give_back(self) -> None:
        async with self._turn:
            owned, self._owned = self._owned, frozenset()
            if owned:
                await self._revoked(owned)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Receives rebalances from aiokafka, which awaits it: the group waits while this member drains."""

    def __init__(self, consumer: AIOKafkaConsumer, shares: _Shares) -> None:
        self._consumer = consumer
        self._shares = shares

    async def on_partitions_revoked(self, revoked: AbstractSet[TopicPartition]) -> None:  # noqa: ARG002
        await self._shares.give_back()

    async def on_partitions_assigned(self, assigned: AbstractSet[TopicPartition]) -> None:
        with contextlib.suppress(errors.IllegalStateError):  # the assignment has changed again
            self._consumer.pause(*assigned)  # tails read the records
        await self._shares.get(frozenset(where.partition for where in assigned))
