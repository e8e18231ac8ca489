"""Turns a snapshot and a command request into new events, a repetition or a refusal, without any I/O."""

from typing import Any

import msgspec
from msgspec import structs

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, Envelope, encode_envelope, event_id
from bookshelf.cqrs.errors import Changed, HeldBack, Invalid, KeyReused
from bookshelf.cqrs.message import Command, Event
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.snapshot import (
    INTERNAL_PREFIX,
    UNSETTLED,
    AggregateSnapshot,
    CompletedCommand,
    DecodedEvent,
)
from bookshelf.runtime.clock import Ids

_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"{}")


class InternalCommand(Command, frozen=True):
    """A command that the service itself requests: the aggregate's snapshot determines what is carried out."""

    def decide(
        self, aggregate: Aggregate[Any], snapshot: AggregateSnapshot[Any], request: CommandRequest
    ) -> tuple[str, list[Event]] | None:
        """Return the id of the command that was found, and its events; None if there is none."""
        raise NotImplementedError


class CommandHandler:
    """Decides the commands of one kind of aggregate; appends nothing. Raises `Refused` for a refusal."""

    def __init__(self, aggregate: Aggregate[Any], ids: Ids) -> None:
        self._aggregate = aggregate
        self._ids = ids

    def decide(
        self, snapshot: AggregateSnapshot[Any], request: CommandRequest, done: CompletedCommand | None = None
    ) -> list[DecodedEvent] | None:
        """Return the new events, possibly none; None if the command is a repetition.

        `done` is the completed command if it was found outside the snapshot. Raises `Refused`.
        """
        if request.id.startswith(INTERNAL_PREFIX):
            msg = f"ids that begin with {INTERNAL_PREFIX} are kept for the service itself; take another"
            raise Invalid(msg)
        reserved = self._aggregate.reserved_ids
        if reserved is not None and reserved.fullmatch(request.subject):
            raise Invalid("is reserved; take another", field="id")
        if isinstance(request.command, InternalCommand):
            found = request.command.decide(self._aggregate, snapshot, request)
            return [] if found is None else self._seal_all(found[1], structs.replace(request, id=found[0]))
        if request.origin:
            if snapshot.has_carried_out(request.origin):
                return None
        elif (done := snapshot.recall(request.id) or done) is not None:
            if done.hash and done.hash not in {request.hash, request.older_hash}:
                msg = "this Idempotency-Key was used before, with another content; take a new key"
                raise KeyReused(msg)
            return None
        if snapshot.faults is not None:
            msg = f"its record at offset {snapshot.faults.first} cannot be read; see `bookshelf dlq list`"
            raise HeldBack(msg)
        if request.expects is not None and snapshot.version not in request.expects:
            msg = "it has changed since; read it again, then decide anew"
            raise Changed(msg)
        return self._seal_all(self._aggregate.decide(snapshot.state, request.command), request)

    def _seal_all(self, events: list[Event], request: CommandRequest) -> list[DecodedEvent]:
        for event in events:
            self._aggregate.catalogue.check(event, self._aggregate.topic)
        change = self._ids.new()
        if events or not request.hash:
            return [
                self._seal(event, event.TYPE, request, event_id(change, number))
                for number, event in enumerate(events)
            ]
        return [self._seal(None, ANSWERED, request, change)]  # a retry is then a repetition

    def _seal(self, event: Event | None, kind: str, request: CommandRequest, id_: str) -> DecodedEvent:
        envelope = Envelope(
            specversion="1.0",
            datacontenttype="application/json",
            id=id_,
            source=self._aggregate.name,
            type=kind,
            subject=request.subject,
            time=request.at,
            data=_NOTHING if event is None else msgspec.Raw(_encode(event)),
            actor=request.actor,
            commandid=request.id,
            commandhash=request.hash,
            correlationid=request.correlation,
            causationid=request.causation,
            traceparent=request.traceparent,
            undoes=request.undoes,
            origin=request.origin,
        )
        value = encode_envelope(envelope)
        read = None if event is None else self._aggregate.catalogue.as_read(event)
        return DecodedEvent(envelope, read, UNSETTLED, value, len(value))
