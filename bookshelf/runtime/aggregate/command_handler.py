"""Turns a snapshot and a command request into new events, a repetition or a refusal, without any I/O."""

from typing import Any

import msgspec
import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, Envelope, encode_envelope
from bookshelf.cqrs.errors import Changed, HeldBack, Invalid, KeyReused, Refused
from bookshelf.cqrs.message import Event
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.deadlines.deadline import PREFIX, ExpireDeadline, deadline, moment_of
from bookshelf.runtime.aggregate.snapshot import UNSETTLED, AggregateSnapshot, CompletedCommand, DecodedEvent
from bookshelf.runtime.clock import Ids

_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"{}")
_logger = structlog.get_logger(__name__)


class CommandHandler:
    """Decides the commands of one kind of aggregate; appends nothing. Raises `Refused` for a refusal."""

    def __init__(self, aggregate: Aggregate[Any], ids: Ids) -> None:
        self._aggregate = aggregate
        self._ids = ids

    def judge(
        self, snapshot: AggregateSnapshot[Any], sent: CommandRequest, done: CompletedCommand | None = None
    ) -> list[DecodedEvent] | None:
        """Return the new events, possibly none; None if the command is a repetition.

        `done` is the completed command if it was found outside the snapshot. Raises `Refused`.
        """
        if sent.id.startswith(PREFIX):
            msg = f"ids that begin with {PREFIX} are kept for deadlines; take another"
            raise Invalid(msg)
        reserved = self._aggregate.reserved_ids
        if reserved is not None and reserved.fullmatch(sent.subject):
            raise Invalid("is reserved; take another", field="id")
        if type(sent.command) is ExpireDeadline:
            return self._expire(snapshot, sent)
        done = snapshot.recall(sent.id) or done
        if done is not None:
            if done.hash and done.hash not in {sent.hash, sent.older_hash}:
                msg = "this Idempotency-Key was used before, with another content; take a new key"
                raise KeyReused(msg)
            return None
        if snapshot.faults is not None:
            msg = f"its record at offset {snapshot.faults.first} cannot be read; see `bookshelf dlq list`"
            raise HeldBack(msg)
        if sent.expects is not None and snapshot.version not in sent.expects:
            msg = "it has changed since; read it again, then decide anew"
            raise Changed(msg)
        return self._seal_all(self._aggregate.decide(snapshot.state, sent.command), sent)

    def _expire(self, snapshot: AggregateSnapshot[Any], sent: CommandRequest) -> list[DecodedEvent]:
        due = deadline(self._aggregate, snapshot)
        if due is None or due.moment > moment_of(sent.at):
            return []  # the deadline was changed or cleared since
        sent = msgspec.structs.replace(sent, id=due.id)
        try:
            events = self._aggregate.decide(snapshot.state, due.command)
        except (
            Refused
        ) as refusal:  # logged and not raised: no client waits for it, and a retry would fail too
            where = {"aggregate": self._aggregate.name, "subject": sent.subject, "id": sent.id}
            _logger.warning("deadline-refused", **where, why=refusal.detail)
            events = []
        return self._seal_all(events, sent)

    def _seal_all(self, events: list[Event], sent: CommandRequest) -> list[DecodedEvent]:
        for event in events:
            self._aggregate.catalogue.check(event, self._aggregate.topic)
        if events or not sent.hash:
            return [self._seal(event, event.TYPE, sent) for event in events]
        return [self._seal(None, ANSWERED, sent)]  # marks the id as completed: a later retry is a repetition

    def _seal(self, event: Event | None, kind: str, sent: CommandRequest) -> DecodedEvent:
        envelope = Envelope(
            specversion="1.0",
            datacontenttype="application/json",
            id=self._ids.new(),
            source=self._aggregate.name,
            type=kind,
            subject=sent.subject,
            time=sent.at,
            data=_NOTHING if event is None else msgspec.Raw(_encode(event)),
            actor=sent.actor,
            commandid=sent.id,
            commandhash=sent.hash,
            correlationid=sent.correlation,
            causationid=sent.causation,
            traceparent=sent.traceparent,
            undoes=sent.undoes,
        )
        value = encode_envelope(envelope)
        read = None if event is None else self._aggregate.catalogue.as_read(event)
        return DecodedEvent(envelope, read, UNSETTLED, value, len(value))
