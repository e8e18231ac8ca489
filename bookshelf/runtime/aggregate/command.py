"""Command requests and command results: what an owner is given, and what it returns.

The handler turns a snapshot and a command request into new events, a repetition or a refusal, without I/O.
"""

from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any, NoReturn

import msgspec
from msgspec import inspect, structs

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, NO_TOKEN, Envelope, encode_envelope, event_id
from bookshelf.cqrs.errors import Changed, Conflict, HeldBack, Invalid, KeyReused, StaleToken
from bookshelf.cqrs.message import Command, Event
from bookshelf.runtime.aggregate.snapshot import (
    INTERNAL_PREFIX,
    NONE,
    UNSETTLED,
    AggregateSnapshot,
    CompletedCommand,
    DecodedEvent,
)
from bookshelf.runtime.clock import Ids


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to carry out one command on one aggregate. `id` is the same in every retry.

    `hash` is the hash of the content, and `older_hash` the one that earlier releases computed
    (`content_hashes`); both are set only if the client chose the id. With `expects`, the aggregate must have
    one of these versions. `fresh` is True if the subject's id was never used before. `causation` is the id of
    the message that led to the command, if any. `undoes` is the id of the change that it takes back.
    `origin` is the record that a process acted on; it takes the place of the id in recognising a repetition.
    With `owner`, the aggregate must belong to that person, None being the local reader; to anyone else it is
    as if it was not there. `size` is the size of the request in bytes. `token` is the fencing token of the
    sender's lease, NO_TOKEN without one; only a fenced aggregate reads it.
    """

    subject: str
    command: Command
    id: str
    at: datetime
    hash: str = ""
    older_hash: str = ""
    actor: str = "reader"
    expects: frozenset[int] | None = None
    fresh: bool = False
    correlation: str = ""
    causation: str = ""
    traceparent: str = ""
    undoes: str = ""
    origin: str = ""
    owner: str | msgspec.UnsetType | None = msgspec.UNSET
    size: int = 0
    token: int = NO_TOKEN


def content_hashes(
    name: bytes, content: msgspec.Struct, former: msgspec.Struct | None = None
) -> tuple[str, str]:
    """Return the hash of a named content, and the hash that earlier releases computed for it.

    Fields with their default values are left out and the others sorted, so that a new optional field changes
    no hash. Earlier releases hashed all fields in the order of their declaration; `former` is the content as
    those releases decoded it, if that differs.
    """
    contents = canonical(content), _plain(content if former is None else former)
    hashes = [blake2b(b"%s\n%s" % (name, encoded), digest_size=16).hexdigest() for encoded in contents]
    return hashes[0], hashes[1]


_plain = msgspec.json.Encoder().encode
_ordered = msgspec.json.Encoder(order="deterministic").encode


def canonical(content: msgspec.Struct) -> bytes:
    """Return a content as JSON that equal contents share: without default values, fields sorted by name."""
    return _ordered(_without_defaults(content))


def _without_defaults(value: Any) -> Any:  # noqa: ANN401 (whatever a field holds)
    """Return a value with a dict in place of each struct, at any depth, without fields at their defaults."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        fields = {} if config.tag_field is None else {config.tag_field: config.tag}
        for field, name, default, has_structs in _fields(type(value)):
            item = getattr(value, field)
            if item is default or item is msgspec.UNSET:
                continue
            if type(item) is not type(default) or item != default:
                fields[name] = _without_defaults(item) if has_structs else item
        return fields
    if isinstance(value, dict):
        return {key: _without_defaults(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_defaults(item) for item in value]
    return value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Any, bool], ...]:
    """Return for each field: attribute, encoded name, default value, and whether it can contain structs."""
    about = inspect.type_info(kind)
    assert isinstance(about, inspect.StructType)  # noqa: S101 (that is its kind)
    return tuple(
        (
            field.name,
            field.encode_name,
            field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory(),
            _has_structs(field.type),
        )
        for field in about.fields
    )


def _has_structs(kind: inspect.Type | inspect.Field) -> bool:
    """Return True if values of the type can contain structs; `Any` counts as plain JSON without structs."""
    parts = [getattr(kind, name) for name in kind.__struct_fields__]
    inner = [item for part in parts for item in (part if isinstance(part, tuple) else (part,))]
    return isinstance(kind, inspect.StructType) or any(
        _has_structs(item) for item in inner if isinstance(item, inspect.Type | inspect.Field)
    )


class NotOwner(Exception):
    """Another instance owns the partition, or is about to: the command belongs there."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} is owned elsewhere")
        self.partition = partition


class Busy(Exception):
    """The command queue is full: the client should send the command again later."""


_CHANGED = "it has changed since; read it again, then decide anew"
_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"{}")


class InternalCommand(Command, frozen=True):
    """A command that the service itself requests: the aggregate's snapshot determines what is carried out."""

    def decide(
        self, aggregate: Aggregate[Any], snapshot: AggregateSnapshot[Any], request: CommandRequest
    ) -> tuple[str, list[Event]] | None:
        """Return the id of the command that was found, and its events; None if there is none."""
        raise NotImplementedError


def stale(given: int, highest: int) -> str:
    """Return the message of a refusal for a token that is too low."""
    what = "a request without a fencing token" if given == NO_TOKEN else f"the fencing token {given}"
    return f"{what} is older than the token {highest}, which was accepted; acquire the lock again"


class CommandHandler:
    """Decides the commands of one kind of aggregate; appends nothing. Raises `Refused` for a refusal."""

    def __init__(self, aggregate: Aggregate[Any], ids: Ids) -> None:
        self._aggregate = aggregate
        self._ids = ids

    def decide(
        self,
        snapshot: AggregateSnapshot[Any],
        request: CommandRequest,
        done: CompletedCommand | None = None,
        parent: AggregateSnapshot[Any] | None = None,
    ) -> list[DecodedEvent] | None:
        """Return the new events, possibly none; None if the command is a repetition.

        `done` is the completed command if it was found outside the snapshot, `parent` the snapshot of the
        parent of a child. Raises `Refused`.
        """
        if request.id.startswith(INTERNAL_PREFIX):
            msg = f"ids that begin with {INTERNAL_PREFIX} are kept for the service itself; take another"
            raise Invalid(msg)
        reserved = self._aggregate.reserved_ids
        if reserved is not None and reserved.fullmatch(request.subject):
            raise Invalid("is reserved; take another", field="id")
        if self._aggregate.parent is not None and parent is None:
            msg = "is no id of a child, like PARENT~CHILD"
            raise Invalid(msg, field="id")
        if isinstance(request.command, InternalCommand):
            found = request.command.decide(self._aggregate, snapshot, request)
            if found is None:
                return []
            due = structs.replace(request, id=found[0])
            return self._seal_all(found[1], due, leaves_record=self._leaves_record(snapshot, request))
        if self._is_repetition(snapshot, request, done):
            return None
        if self._is_of_another(snapshot, request):
            self._refuse_as_missing(request)
        faults = snapshot.faults or (None if parent is None else parent.faults)
        if faults is not None:
            msg = f"its record at offset {faults.first} cannot be read; see `bookshelf dlq list`"
            raise HeldBack(msg)
        self._check_sender(snapshot, request)
        known = () if parent is None else (parent.state,)
        events = self._aggregate.decide(snapshot.state, request.command, *known)
        return self._seal_all(events, request, leaves_record=self._leaves_record(snapshot, request))

    def _leaves_record(self, snapshot: AggregateSnapshot[Any], request: CommandRequest) -> bool:
        """Return True if the log must have the command, although there may be no event."""
        return bool(request.hash) or (self._aggregate.fenced and request.token > snapshot.token)

    def _check_sender(self, snapshot: AggregateSnapshot[Any], request: CommandRequest) -> None:
        """Return if the sender may change what is there now. Raises `StaleToken`, `Changed`."""
        if self._aggregate.fenced and request.token < snapshot.token:
            raise StaleToken(stale(request.token, snapshot.token))
        if request.expects is not None and snapshot.version not in request.expects:
            raise Changed(_CHANGED, snapshot.version)

    def _is_repetition(
        self, snapshot: AggregateSnapshot[Any], request: CommandRequest, done: CompletedCommand | None
    ) -> bool:
        """Return True if the command was carried out before. Raises `KeyReused`."""
        if request.origin:
            return snapshot.has_carried_out(request.origin)
        done = snapshot.recall(request.id) or done
        if done is not None and done.hash and done.hash not in {request.hash, request.older_hash}:
            msg = "this Idempotency-Key was used before, with another content; take a new key"
            raise KeyReused(msg)
        return done is not None

    def _is_of_another(self, snapshot: AggregateSnapshot[Any], request: CommandRequest) -> bool:
        """Return True if an aggregate that is there belongs to another person than the request's."""
        owner_of = self._aggregate.owner
        if owner_of is None or request.owner is msgspec.UNSET or snapshot.first == NONE:
            return False
        return owner_of(snapshot.state) != request.owner

    def _refuse_as_missing(self, request: CommandRequest) -> NoReturn:
        """Refuse a command as for an aggregate that is not there. Raises `Refused`."""
        if request.expects is not None:
            raise Changed(_CHANGED)
        self._aggregate.decide(self._aggregate.initial, request.command)
        raise Conflict("this id is taken; leave it out, or choose another", field="id")

    def _seal_all(
        self, events: list[Event], request: CommandRequest, *, leaves_record: bool
    ) -> list[DecodedEvent]:
        """Return the records of a command; with `leaves_record`, also of one that has led to no event."""
        for event in events:
            self._aggregate.catalogue.check(event, self._aggregate.topic)
        change = self._ids.new()
        if events or not leaves_record:
            return [
                self._seal(event, event.TYPE, request, event_id(change, number))
                for number, event in enumerate(events)
            ]
        # a retry is then a repetition, and a lower fencing token is refused
        return [self._seal(None, ANSWERED, request, change)]

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
            fencingtoken=request.token if self._aggregate.fenced else NO_TOKEN,
        )
        value = encode_envelope(envelope)
        read = None if event is None else self._aggregate.catalogue.as_read(event)
        return DecodedEvent(envelope, read, UNSETTLED, value, len(value))
