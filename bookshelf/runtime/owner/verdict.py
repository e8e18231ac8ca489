"""From a command and what is held to what is said: the pure heart of an owner."""

from typing import Any

import msgspec
import structlog

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, Envelope, encode_envelope
from bookshelf.cqrs.errors import Changed, HeldBack, Invalid, KeyReused, Refused
from bookshelf.cqrs.message import Event
from bookshelf.runtime.clock import Ids
from bookshelf.runtime.owner.command import Sent
from bookshelf.runtime.owner.due import PREFIX, FallDue, deadline, moment_of
from bookshelf.runtime.owner.held import UNSETTLED, Done, Held, Said

_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"{}")
_logger = structlog.get_logger(__name__)


class Judge:
    """Decides commands of one aggregate. Raises the domain's `Refused`; writes nothing."""

    def __init__(self, aggregate: Aggregate[Any], ids: Ids) -> None:
        self._aggregate = aggregate
        self._ids = ids

    def judge(self, held: Held[Any], sent: Sent, done: Done | None = None) -> list[Said] | None:
        """Return what there is to say, maybe nothing; None if the command was carried out before.

        `done` is what is known of the command besides what is held.
        """
        if sent.id.startswith(PREFIX):
            msg = f"ids that begin with {PREFIX} are kept for deadlines; take another"
            raise Invalid(msg)
        if type(sent.command) is FallDue:
            return self._fall_due(held, sent)
        done = held.recall(sent.id) or done
        if done is not None:
            if done.hash and done.hash not in {sent.hash, sent.older_hash}:
                msg = "this Idempotency-Key was used before, with another content; take a new key"
                raise KeyReused(msg)
            return None
        if held.faults:
            msg = f"its record at offset {held.faults[0][0]} cannot be read; see `bookshelf dlq list`"
            raise HeldBack(msg)
        if sent.expects is not None and held.version not in sent.expects:
            msg = "it has changed since; read it again, then decide anew"
            raise Changed(msg)
        return self._say(self._aggregate.decide(held.state, sent.command), sent)

    def _fall_due(self, held: Held[Any], sent: Sent) -> list[Said]:
        due = deadline(self._aggregate, held)
        if due is None or due.moment > moment_of(sent.at):
            return []  # it was changed or cleared since
        sent = msgspec.structs.replace(sent, id=due.id)
        try:
            events = self._aggregate.decide(held.state, due.command)
        except Refused as refusal:  # no one is there to hear it, and asking again would not change it
            where = {"aggregate": self._aggregate.name, "subject": sent.subject, "id": sent.id}
            _logger.warning("deadline-refused", **where, why=refusal.detail)
            events = []
        return self._say(events, sent)

    def _say(self, events: list[Event], sent: Sent) -> list[Said]:
        for event in events:
            self._aggregate.catalogue.check(event, self._aggregate.topic)
        if events or not sent.hash:
            return [self._seal(event, event.TYPE, sent) for event in events]
        return [self._seal(None, ANSWERED, sent)]  # so that a retry, later, still changes nothing

    def _seal(self, event: Event | None, kind: str, sent: Sent) -> Said:
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
        )
        value = encode_envelope(envelope)
        return Said(envelope, event, UNSETTLED, value, len(value))
