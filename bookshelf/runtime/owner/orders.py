"""Orders: commands that come by topic. How one is written, and how it is read."""

from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple, NotRequired, Required, TypedDict, Unpack

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Invalid, Refused
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.order import Order, ReturnAddress
from bookshelf.http.problem import Problem
from bookshelf.log.partition import partition_of
from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.edge.decode import Reader
from bookshelf.runtime.owner.command import Sent, content_hashes

_encode = msgspec.json.Encoder().encode
_decode_address = msgspec.json.Decoder(ReturnAddress).decode
#: Stands for a time that the sender left out, where contents are compared: retries may have another.
_ANY = datetime(1970, 1, 1, tzinfo=UTC)


class Attributes(TypedDict, total=False):
    """What is to be said of a command beside itself: attributes of its envelope."""

    id: Required[str]
    source: Required[str]
    subject: Required[str]
    time: Required[datetime]
    actor: NotRequired[str]
    correlationid: NotRequired[str]
    causationid: NotRequired[str]
    traceparent: NotRequired[str]
    replyto: NotRequired[str]


def order(to: Aggregate[Any], command: Command, **attributes: Unpack[Attributes]) -> NewRecord:
    """Return the record that sends a command to an aggregate. `id` must be the same in every retry.

    Raises TypeError for a command that the aggregate does not take by topic, ValueError for attributes
    that its owner would refuse.
    """
    if type(command) not in to.takes:
        msg = f"{to.name} does not take {command.TYPE} by topic"
        raise TypeError(msg)
    value = _encode(
        Order(specversion="1.0", type=command.TYPE, data=msgspec.Raw(_encode(command)), **attributes)
    )
    msgspec.json.decode(value, type=Order)  # so that a wrong one is its sender's fault, and seen there
    return NewRecord(attributes["subject"], value, to.commands)


class Arrived(NamedTuple):
    """Of an order: the offset after it, where its answer goes, and why it is refused, whatever is held."""

    after: int
    back: Order | ReturnAddress | None
    refusal: Refused | None = None


class Unreadable(Refused):
    """A record that says no command."""

    KIND = "malformed"


class NoCommand(Command, frozen=True):
    """Stands for the command of a record that says none."""

    TYPE: ClassVar[str] = "bookshelf.no-command.v1"


class Orders:
    """Reads the orders to one aggregate. `partitions` is how many its topic has."""

    def __init__(self, aggregate: Aggregate[Any], partitions: int, clock: Clock) -> None:
        self._name = aggregate.name
        self._partitions = partitions
        self._clock = clock
        self._order = Reader(Order)
        self._data = Reader(dict[str, msgspec.Raw])
        self._commands = {kind.TYPE: (Reader(kind), _timed(kind)) for kind in aggregate.takes}

    def read(self, record: Record) -> tuple[Sent, Arrived]:
        """Read a record, whatever it is."""
        try:
            order: Order = self._order.in_utc(self._order.body(record.value))
        except Problem as problem:
            sent = Sent(
                subject=record.key, command=NoCommand(), id="", at=self._clock.now(), size=len(record.value)
            )
            return sent, Arrived(record.offset + 1, _address(record.value), _refusal(problem))
        back, size = order if order.replyto else None, len(record.value)
        try:
            self._check_place(order, record)
            return _sent(order, size, *self._command(order)), Arrived(record.offset + 1, back)
        except Problem as problem:
            return _sent(order, size), Arrived(record.offset + 1, back, _refusal(problem))
        except Refused as refusal:
            return _sent(order, size), Arrived(record.offset + 1, back, refusal)

    def _check_place(self, order: Order, record: Record) -> None:
        if partition_of(order.subject, self._partitions) != record.partition:
            msg = "is of another partition; the key of the record must be the subject"
            raise Invalid(msg, field="subject")

    def _command(self, order: Order) -> tuple[Command, tuple[str, str]]:
        """Return the command, and the hashes of its content as it was understood."""
        if order.type not in self._commands:
            msg = f"{self._name} takes no such command by topic"
            raise Invalid(msg, field="type")
        reader, timed = self._commands[order.type]
        data = bytes(order.data)
        if not timed or "at" in (fields := self._data.body(data)):
            former = reader.body(data)
            command = said = reader.in_utc(former)
        else:
            command = reader.in_utc(reader.body(_encode({**fields, "at": order.time})))
            former = said = msgspec.structs.replace(command, at=_ANY)
        return command, content_hashes(order.type.encode(), said, former)


def _timed(kind: type[Command]) -> bool:
    return "at" in kind.__struct_fields__


def _sent(
    order: Order,
    size: int,
    command: Command = NoCommand(),  # noqa: B008 (frozen)
    hashes: tuple[str, str] = ("", ""),
) -> Sent:
    return Sent(
        subject=order.subject,
        command=command,
        id=order.id,
        at=order.time,
        hash=hashes[0],
        older_hash=hashes[1],
        actor=order.actor,
        correlation=order.correlationid,
        causation=order.causationid,
        traceparent=order.traceparent,
        size=size,
    )


def _refusal(problem: Problem) -> Refused:
    if problem.kind != Invalid.KIND:
        return Unreadable(problem.detail)
    place = problem.faults[0].pointer if problem.faults else ""
    return Invalid(problem.detail, field=place.strip("/").replace("/", ".") or None)


def _address(value: bytes) -> ReturnAddress | None:
    try:
        return _decode_address(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # no one to tell
