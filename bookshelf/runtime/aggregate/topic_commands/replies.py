"""Builds the replies to command messages and the consumed offset, which are appended with the events."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec
import structlog

from bookshelf.cqrs.command_message import CommandDone, CommandMessage, CommandRefused, ReturnAddress
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.errors import Refused
from bookshelf.log.port import Consumed, NewRecord
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.command_queue import QueuedCommand
from bookshelf.runtime.aggregate.context import PartitionContext

_PROBLEM = "urn:bookshelf:problem:"
_MOST = 500  # characters of a refusal's detail
#: Seconds for which a look-up of a topic is kept, and the number of topics kept.
_KNOWN_S = 30.0
_KNOWN_TOPICS = 1000
_encode = msgspec.json.Encoder().encode
_logger = structlog.get_logger(__name__)


class Replies:
    """Builds the replies to the command messages of one partition."""

    def __init__(self, context: PartitionContext) -> None:
        self._context = context
        self._log = context.dependencies.log
        self._topics: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def look_up_topics(self, commands: Iterable[QueuedCommand]) -> None:
        """Find out which of the reply topics exist. Raises `LogFault` if the log does not answer.

        A look-up expires, because a topic may be created later, and because every append with a reply to a
        deleted topic would fail.
        """
        now = asyncio.get_running_loop().time()
        named = {
            queued.order.back.replyto for queued in commands if queued.order is not None and queued.order.back
        }
        for topic in named:
            known = self._topics.get(topic)
            if known is None or known[1] < now:
                self._topics[topic] = (await self._log.look_up(topic), now + _KNOWN_S)
                self._topics.move_to_end(topic)
        while len(self._topics) > max(_KNOWN_TOPICS, len(named)):
            self._topics.popitem(last=False)

    def to(
        self, commands: Sequence[QueuedCommand], results: Iterable[object]
    ) -> tuple[list[NewRecord], Consumed | None]:
        """Return the replies to the command messages of a batch, and the offset after the last of them."""
        records: list[NewRecord] = []
        after = -1
        for queued, result in zip(commands, results, strict=True):
            if queued.order is None:
                continue
            after = queued.order.after
            if isinstance(result, Exception):
                self._note(queued, result)
            if queued.order.back is not None:
                records += self._reply(queued.sent, queued.order.back, result)
        if after < 0:
            return records, None
        return records, Consumed(self._context.aggregate.commands, self._context.partition, after)

    def _note(self, queued: QueuedCommand, fault: Exception) -> None:
        known = isinstance(fault, Refused)
        log = _logger.info if known else _logger.error
        where = {"aggregate": self._context.aggregate.name, "after": queued.order and queued.order.after}
        what = {"subject": queued.sent.subject, "id": queued.sent.id, "why": str(fault)}
        log("order-refused", **where, **what, exc_info=None if known else fault)

    def _reply(
        self, sent: CommandRequest, back: CommandMessage | ReturnAddress, result: object
    ) -> Iterable[NewRecord]:
        if not self._topics[back.replyto][0]:
            why = "there is no such topic, or this user may not see it"
            _logger.warning("no-reply", id=back.id, replyto=back.replyto, why=why)
            return ()
        reply = _refused(result) if isinstance(result, Exception) else CommandDone(subject=sent.subject)
        return (NewRecord(sent.subject, self._sealed(sent, back, reply), back.replyto),)

    def _sealed(
        self, sent: CommandRequest, back: CommandMessage | ReturnAddress, reply: CommandDone | CommandRefused
    ) -> bytes:
        envelope = Envelope(
            specversion="1.0",
            datacontenttype="application/json",
            # made of the command's id and the outcome, so that a consumer can recognise a repeated reply
            id=f"{'done' if isinstance(reply, CommandDone) else 'refused'}-{back.id}",
            source=self._context.aggregate.name,
            type=reply.TYPE,
            subject=sent.subject,
            time=sent.at,
            data=msgspec.Raw(_encode(reply)),
            actor=sent.actor,
            correlationid=back.correlationid,
            causationid=back.id,
            traceparent=back.traceparent,
        )
        return encode_envelope(envelope)


def _refused(fault: Exception) -> CommandRefused:
    if isinstance(fault, Refused):
        return CommandRefused(type=_PROBLEM + fault.KIND, detail=fault.detail[:_MOST], field=fault.field)
    return CommandRefused(type=_PROBLEM + "internal", detail="a defect of the service; it was logged")
