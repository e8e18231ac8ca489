"""Commands by topic: an owner's plug-in reads a command topic, queues its messages, and appends the replies.

A poison message, whose events the log rejects, is isolated: it is refused, and the following ones are read.
An empty append is tried first: if the log rejects that too, the log is down and no message is at fault.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from enum import Enum

import msgspec
import structlog

from bookshelf.concurrency import cancel_and_wait
from bookshelf.cqrs.command_message import CommandDone, CommandMessage, CommandRefused, ReturnAddress
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.errors import Refused
from bookshelf.log.port import Consumed, LogFault, LogFull, NewRecord, OutOfRange, Record, Tail
from bookshelf.runtime.aggregate.command import CommandRequest, NotOwner
from bookshelf.runtime.aggregate.command_messages import CommandMessageDecoder, NoCommand, ReceivedCommand
from bookshelf.runtime.aggregate.command_queue import QueuedCommand
from bookshelf.runtime.aggregate.context import PartitionContext
from bookshelf.runtime.aggregate.plugin import OwnerParts, OwnerPlugin
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.supervisor import Supervisor

#: Command messages that are queued together. The next are read once these are done: a flood waits in the log.
_TOGETHER = 500
_PROBLEM = "urn:bookshelf:problem:"
_MOST = 500  # characters of a refusal's detail
#: Seconds for which a look-up of a topic is kept, and the number of topics kept.
_KNOWN_S = 30.0
_KNOWN_TOPICS = 1000
_encode = msgspec.json.Encoder().encode
_logger = structlog.get_logger(__name__)


class UnwritableMessage(Refused):
    """A command whose events the log rejects."""

    KIND = "too-large"


class AppendAttempt(Enum):
    """What is appended next for a command message that may be poison."""

    WHOLE = "its events and its reply"
    TRIAL = "nothing but the consumed offset, to see whether the log accepts any append"
    AGAIN = "its events and its reply, now that the log is known to accept appends"
    UNANSWERED = "its events without a reply, as the reply's topic may be the cause"
    REFUSED = "a reply that refuses it, as its events are the cause"
    PASSED = "nothing but the consumed offset, as even the refusal is rejected"


_NEXT = {
    AppendAttempt.WHOLE: AppendAttempt.TRIAL,
    AppendAttempt.TRIAL: AppendAttempt.WHOLE,
    AppendAttempt.AGAIN: AppendAttempt.UNANSWERED,
    AppendAttempt.UNANSWERED: AppendAttempt.REFUSED,
    AppendAttempt.REFUSED: AppendAttempt.PASSED,
    AppendAttempt.PASSED: AppendAttempt.WHOLE,
}


class PoisonCheck:
    """Finds out step by step whether the command message at one offset is poison."""

    def __init__(self, offset: int, clock: Clock) -> None:
        self.offset = offset
        self._clock = clock
        self._step = AppendAttempt.WHOLE

    @property
    def trial(self) -> bool:
        """True if the next append is the empty one that tries the log."""
        return self._step is AppendAttempt.TRIAL

    def note_rejected(self) -> None:
        """Go to the next step: the log has certainly rejected the last append."""
        self._step = _NEXT[self._step]

    def note_accepted(self) -> None:
        """Note that the empty append succeeded: the log accepts appends, so the message is suspect."""
        self._step = AppendAttempt.AGAIN

    def adapted(
        self, request: CommandRequest, received: ReceivedCommand
    ) -> tuple[CommandRequest, ReceivedCommand]:
        """Return the message as this step of the check appends it."""
        if self._step is AppendAttempt.TRIAL:
            nothing = CommandRequest(subject="", command=NoCommand(), id="", at=self._clock.now())
            return nothing, ReceivedCommand(self.offset, None, UnwritableMessage("a trial of the log"))
        if self._step in {AppendAttempt.WHOLE, AppendAttempt.AGAIN}:
            return request, received
        if self._step is AppendAttempt.UNANSWERED:
            return request, received._replace(reply_to=None)
        refusal = UnwritableMessage("the log rejects the events of this command; they may be too large")
        return request, ReceivedCommand(
            received.after, received.reply_to if self._step is AppendAttempt.REFUSED else None, refusal
        )


class Replies:
    """Builds the replies to the command messages of one partition."""

    def __init__(self, context: PartitionContext) -> None:
        self._context = context
        self._log = context.dependencies.log
        self._topics: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def _look_up_topics(self, messages: Iterable[ReceivedCommand]) -> None:
        """Find out which of the reply topics exist. Raises `LogFault` if the log does not answer.

        A look-up expires, because a topic may be created later, and because every append with a reply to a
        deleted topic would fail.
        """
        now = asyncio.get_running_loop().time()
        named = {received.reply_to.replyto for received in messages if received.reply_to is not None}
        for topic in named:
            known = self._topics.get(topic)
            if known is None or known[1] < now:
                self._topics[topic] = (await self._log.look_up(topic), now + _KNOWN_S)
                self._topics.move_to_end(topic)
        while len(self._topics) > max(_KNOWN_TOPICS, len(named)):
            self._topics.popitem(last=False)

    async def records(
        self, messages: Sequence[tuple[CommandRequest, ReceivedCommand]], results: Sequence[object]
    ) -> list[NewRecord]:
        """Return the replies to command messages. Raises `LogFault` if a topic cannot be looked up."""
        await self._look_up_topics(received for _, received in messages)
        return [
            reply
            for (request, received), result in zip(messages, results, strict=True)
            if received.reply_to is not None
            for reply in self._reply(request, received.reply_to, result)
        ]

    def _reply(
        self, request: CommandRequest, reply_to: CommandMessage | ReturnAddress, result: object
    ) -> Iterable[NewRecord]:
        if not self._topics[reply_to.replyto][0]:
            why = "there is no such topic, or this user may not see it"
            _logger.warning("no-reply", id=reply_to.id, replyto=reply_to.replyto, why=why)
            return ()
        only_refusals = reply_to.replies == "refusals"
        if isinstance(result, Exception):
            reply: CommandRefused | CommandDone = _refused(result)
            if only_refusals and isinstance(reply_to, CommandMessage):
                reply = msgspec.structs.replace(reply, command=_encode(reply_to).decode())
        elif only_refusals:
            return ()
        else:
            reply = CommandDone(subject=request.subject)
        return (NewRecord(request.subject, self._sealed(request, reply_to, reply), reply_to.replyto),)

    def _sealed(
        self,
        request: CommandRequest,
        reply_to: CommandMessage | ReturnAddress,
        reply: CommandDone | CommandRefused,
    ) -> bytes:
        envelope = Envelope(
            specversion="1.0",
            datacontenttype="application/json",
            # made of the command's id and the outcome, so that a consumer can recognise a repeated reply
            id=f"{'done' if isinstance(reply, CommandDone) else 'refused'}-{reply_to.id}",
            source=self._context.aggregate.name,
            type=reply.TYPE,
            subject=request.subject,
            time=request.at,
            data=msgspec.Raw(_encode(reply)),
            actor=request.actor,
            correlationid=reply_to.correlationid,
            causationid=reply_to.id,
            traceparent=reply_to.traceparent,
        )
        return encode_envelope(envelope)


def _refused(fault: Exception) -> CommandRefused:
    if isinstance(fault, Refused):
        return CommandRefused(type=_PROBLEM + fault.KIND, detail=fault.detail[:_MOST], field=fault.field)
    return CommandRefused(type=_PROBLEM + "internal", detail="a defect of the service; it was logged")


class TopicCommands(OwnerPlugin):
    """Consumes one partition of a command topic while its owner has the writer, from the consumed offset.

    If the log rejects the messages of one read, each of them is queued alone until the poison one is found.
    """

    def __init__(self, parts: OwnerParts) -> None:
        self._context, _, _, self._queue = parts
        self._aggregate = parts.context.aggregate
        self._topic = self._aggregate.commands
        self._log, self._clock = parts.context.dependencies.log, parts.context.dependencies.clock
        self._replies = Replies(parts.context)
        self._supervisor = Supervisor(
            f"commands by topic to {self._aggregate.name} in partition {self._context.partition}"
        )
        self._next: int | None = None
        self._alone_before = 0
        self._check = PoisonCheck(-1, self._clock)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Read until the block ends."""
        self._next = None
        self._queue.discard_sourced()  # they are read again, from the consumed offset in the log
        reading = asyncio.create_task(self._supervisor.keep(self._read))
        try:
            yield
        finally:
            await cancel_and_wait(reading)

    async def extra_records(
        self, commands: Sequence[QueuedCommand], results: Sequence[object]
    ) -> tuple[Sequence[NewRecord], Consumed | None]:
        """Return the replies to the command messages of a batch, and the offset after the last of them."""
        messages: list[tuple[CommandRequest, ReceivedCommand]] = []
        outcomes: list[object] = []
        for queued, result in zip(commands, results, strict=True):
            if isinstance(queued.source, ReceivedCommand):
                messages.append((queued.request, queued.source))
                outcomes.append(result)
                if isinstance(result, Exception):
                    self._log_refusal(queued.request, queued.source.after, result)
        if not messages:
            return (), None
        replies = await self._replies.records(messages, outcomes)
        return replies, Consumed(self._topic, self._context.partition, messages[-1][1].after)

    def _log_refusal(self, request: CommandRequest, after: int, fault: Exception) -> None:
        fields = {"aggregate": self._aggregate.name, "after": after, "subject": request.subject}
        fields |= {"id": request.id, "why": str(fault)}
        if isinstance(fault, Refused):
            _logger.info("command-message-refused", **fields)
        else:
            _logger.error("command-message-refused", **fields, exc_info=fault)

    async def _read(self) -> None:
        partitions, own = self._log.partitions(self._aggregate.topic), self._log.partitions(self._topic)
        if partitions != own:
            msg = f"{self._topic} has {own} partitions, {self._aggregate.topic} {partitions}: create it again"
            raise LogFault(msg)
        has_accounts = self._context.dependencies.has_accounts
        decoder = CommandMessageDecoder(self._aggregate, partitions, self._clock, has_accounts=has_accounts)
        tail = await self._tail()
        try:
            while True:
                records = await tail.take(_TOGETHER)
                alone = bool(records) and records[0].offset < self._alone_before
                for share in [[record] for record in records] if alone else [records]:
                    await self._deliver(decoder, share)
        except NotOwner:
            return  # this owner is leaving, and the next one reads on
        finally:
            await tail.close()

    async def _tail(self) -> Tail:
        topic, partition = self._topic, self._context.partition
        if self._next is None:
            self._next = await self._log.consumed(self._aggregate.name, topic, partition)
        start = await self._log.start(topic, partition)
        where = {"topic": topic, "partition": partition, "start": start, "next": self._next}
        if self._next < start:
            _logger.warning("command-messages-expired", **where)  # the topic's retention has deleted them
            self._next = start
        try:
            return await self._log.tail(topic, partition, self._next)
        except OutOfRange:
            _logger.warning("command-topic-recreated", **where)  # the topic was deleted and created again
            return await self._log.tail(topic, partition, start)

    async def _deliver(self, decoder: CommandMessageDecoder, share: Sequence[Record]) -> None:
        """Queue these messages and wait until they are done. Raises `LogFault` if nothing was appended."""
        if not share:
            return
        if len(share) == 1:
            await self._deliver_alone(decoder, share[0])
        else:
            try:
                await self._put([decoder.read(record) for record in share])
            except LogFault:
                self._alone_before = share[-1].offset + 1
                raise
        self._next = share[-1].offset + 1
        self._supervisor.note_progress()

    async def _deliver_alone(self, decoder: CommandMessageDecoder, record: Record) -> None:
        if self._check.offset != record.offset:
            self._check = PoisonCheck(record.offset, self._clock)
        trial = self._check.trial
        try:
            await self._put([self._check.adapted(*decoder.read(record))])
        except LogFull:
            raise  # a full disk is not the message's fault
        except LogFault:
            self._check.note_rejected()
            raise
        if trial:
            self._check.note_accepted()
            await self._deliver_alone(decoder, record)

    async def _put(self, messages: Sequence[tuple[CommandRequest, ReceivedCommand]]) -> None:
        """Queue messages; return once their events are in the log. Raises `LogFault` if none is."""
        answers = await asyncio.gather(self._queue.put_together(messages), return_exceptions=True)
        if isinstance(answers[0], LogFault):
            raise answers[0]
