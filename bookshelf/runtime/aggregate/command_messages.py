"""Command messages: how a command is written to a topic, and how its owner reads it."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NamedTuple, NotRequired, Required, TypedDict, Unpack

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_message import CommandMessage, ReturnAddress
from bookshelf.cqrs.errors import Invalid, Refused
from bookshelf.cqrs.message import Command, unsealed
from bookshelf.http.problem import Problem
from bookshelf.log.port import NewRecord, Record, partition_of
from bookshelf.runtime.aggregate.command import CommandRequest, content_hashes
from bookshelf.runtime.clock import Clock
from bookshelf.runtime.decoding import decoder_of

_encode = msgspec.json.Encoder().encode
_decode_address = msgspec.json.Decoder(ReturnAddress).decode
#: Replaces the time in the content hash of a command without `at`: it may differ between retries.
_ANY = datetime(1970, 1, 1, tzinfo=UTC)


class Attributes(TypedDict, total=False):
    """Attributes of the envelope of a command message: all that is not in the command itself."""

    id: Required[str]
    source: Required[str]
    subject: Required[str]
    time: Required[datetime]
    actor: NotRequired[str]
    correlationid: NotRequired[str]
    causationid: NotRequired[str]
    traceparent: NotRequired[str]
    undoes: NotRequired[str]
    origin: NotRequired[str]
    replyto: NotRequired[str]
    replies: NotRequired[Literal["all", "refusals"]]


def command_message(to: Aggregate[Any], command: Command, **attributes: Unpack[Attributes]) -> NewRecord:
    """Return the record that sends a command to an aggregate. `id` must be the same in every retry.

    Raises TypeError for a command that the aggregate does not take by topic, ValueError for attributes
    that its owner would refuse.
    """
    if type(command) not in to.takes:
        msg = f"{to.name} does not take {command.TYPE} by topic"
        raise TypeError(msg)
    subject, data = attributes["subject"], msgspec.Raw(_encode(command))
    placed_by = to.placed_by(subject)
    parent = "" if placed_by == subject else placed_by
    value = _encode(
        CommandMessage(specversion="1.0", type=command.TYPE, data=data, partitionkey=parent, **attributes)
    )
    msgspec.json.decode(value, type=CommandMessage)  # a wrong attribute fails here, at the sender
    return NewRecord(subject, value, to.commands, parent)


class ReceivedCommand(NamedTuple):
    """What an owner needs beside a command from a topic.

    `after` is the offset after the message, `reply_to` where its reply goes, and `refusal` why it is refused
    whatever the state.
    """

    after: int
    reply_to: CommandMessage | ReturnAddress | None
    refusal: Refused | None = None


class Unreadable(Refused):
    """A record of a command topic that is not a command message."""

    KIND = "malformed"


class NoCommand(Command, frozen=True):
    """Stands in for the command of a record that cannot be read as one."""

    TYPE: ClassVar[str] = "bookshelf.no-command.v1"


class CommandMessageDecoder:
    """Decodes the command messages to one aggregate. `partitions` is the number of its topic's partitions.

    With `has_accounts` it refuses personal texts that are not sealed: they would stay in the log as they are.
    """

    def __init__(
        self, aggregate: Aggregate[Any], partitions: int, clock: Clock, *, has_accounts: bool = False
    ) -> None:
        self._has_accounts = has_accounts
        self._name = aggregate.name
        self._placed_by = aggregate.placed_by
        self._partitions = partitions
        self._clock = clock
        self._message = decoder_of(CommandMessage)
        self._data = decoder_of(dict[str, msgspec.Raw])
        self._commands = {kind.TYPE: (decoder_of(kind), _timed(kind)) for kind in aggregate.takes}

    def read(self, record: Record) -> tuple[CommandRequest, ReceivedCommand]:
        """Decode a record; one that is no valid command message gives a request with a refusal."""
        try:
            message: CommandMessage = self._message.in_utc(self._message.body(record.value))
        except Problem as problem:
            request = CommandRequest(
                subject=record.key, command=NoCommand(), id="", at=self._clock.now(), size=len(record.value)
            )
            return request, ReceivedCommand(record.offset + 1, _address(record.value), _refusal(problem))
        reply_to, size = message if message.replyto else None, len(record.value)
        try:
            self._check_place(message, record)
            return _request(message, size, *self._command(message)), ReceivedCommand(
                record.offset + 1, reply_to
            )
        except Problem as problem:
            return _request(message, size), ReceivedCommand(record.offset + 1, reply_to, _refusal(problem))
        except Refused as refusal:
            return _request(message, size), ReceivedCommand(record.offset + 1, reply_to, refusal)

    def _check_place(self, message: CommandMessage, record: Record) -> None:
        placed_by = self._placed_by(message.subject)
        right = partition_of(placed_by, self._partitions)
        if right == record.partition:
            return
        if placed_by != message.subject:
            msg = f"belongs to partition {right}, that of its parent {placed_by}; send the message there"
            raise Invalid(msg, field="subject")
        msg = "is of another partition; the key of the record must be the subject"
        raise Invalid(msg, field="subject")

    def _command(self, message: CommandMessage) -> tuple[Command, tuple[str, str]]:
        """Return the command, and the hashes of its content as it was decoded."""
        if message.type not in self._commands:
            msg = f"{self._name} takes no such command by topic"
            raise Invalid(msg, field="type")
        reader, timed = self._commands[message.type]
        data = bytes(message.data)
        if not timed or "at" in (fields := self._data.body(data)):
            former = reader.body(data)
            command = content = reader.in_utc(former)
        else:
            command = reader.in_utc(reader.body(_encode({**fields, "at": message.time})))
            former = content = msgspec.structs.replace(command, at=_ANY)
        if self._has_accounts and (place := unsealed(command)) is not None:
            raise Invalid("is a personal text, which must be sealed while there are accounts", field=place)
        return command, content_hashes(message.type.encode(), content, former)


def _timed(kind: type[Command]) -> bool:
    return "at" in kind.__struct_fields__


def _request(
    message: CommandMessage,
    size: int,
    command: Command = NoCommand(),  # noqa: B008 (frozen)
    hashes: tuple[str, str] = ("", ""),
) -> CommandRequest:
    return CommandRequest(
        subject=message.subject,
        command=command,
        id=message.id,
        at=message.time,
        hash="" if message.origin else hashes[0],  # the origin takes its place
        older_hash="" if message.origin else hashes[1],
        actor=message.actor,
        correlation=message.correlationid,
        causation=message.causationid,
        traceparent=message.traceparent,
        undoes=message.undoes,
        origin=message.origin,
        size=size,
    )


def _refusal(problem: Problem) -> Refused:
    if problem.kind != Invalid.KIND:
        return Unreadable(problem.detail)
    pointer = problem.faults[0].pointer if problem.faults else ""
    return Invalid(problem.detail, field=pointer.strip("/").replace("/", ".") or None)


def _address(value: bytes) -> ReturnAddress | None:
    try:
        return _decode_address(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # there is no address to reply to
