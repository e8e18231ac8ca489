"""From a command and what is held to what is said: the pure heart of an owner."""

from typing import Any

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, Envelope, encode_envelope
from bookshelf.cqrs.errors import Changed, HeldBack, KeyReused
from bookshelf.cqrs.message import Event
from bookshelf.runtime.clock import Ids
from bookshelf.runtime.owner.command import Sent
from bookshelf.runtime.owner.held import UNSETTLED, Held, Said

_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"{}")


class Judge:
    """Decides commands of one aggregate. Raises the domain's `Refused`; writes nothing."""

    def __init__(self, aggregate: Aggregate[Any], ids: Ids) -> None:
        self._aggregate = aggregate
        self._ids = ids

    def judge(self, held: Held[Any], sent: Sent) -> list[Said] | None:
        """Return what there is to say, maybe nothing; None if the command was carried out before."""
        done = held.recall(sent.id)
        if done is not None:
            if done.hash != sent.hash:
                msg = "this Idempotency-Key was used before, with another content; take a new key"
                raise KeyReused(msg)
            return None
        if held.fault:
            msg = f"a record of it cannot be read ({held.fault.partition(':')[0]}); see `bookshelf dlq list`"
            raise HeldBack(msg)
        if sent.expects is not None and held.version not in sent.expects:
            msg = "it has changed since; read it again, then decide anew"
            raise Changed(msg)
        return self._say(self._aggregate.decide(held.state, sent.command), sent)

    def _say(self, events: list[Event], sent: Sent) -> list[Said]:
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
            traceparent=sent.traceparent,
        )
        return Said(envelope, event, UNSETTLED)


def value(said: Said) -> bytes:
    """Return the bytes of a record."""
    return encode_envelope(said.envelope)
