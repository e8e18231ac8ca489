"""Turns the records that a process reads into one append, without any I/O."""

from dataclasses import dataclass, field

import msgspec
import structlog

from bookshelf.cqrs.command_message import REPLIES, CommandMessage, CommandRefused
from bookshelf.cqrs.dead_letters import LetterAdded, LetterRetried, LetterSettled
from bookshelf.cqrs.envelope import DROPPED, Envelope, decode_envelope, dropped
from bookshelf.cqrs.errors import HeldBack, Malformed
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.process import Process, RefusedCommand, Send
from bookshelf.cqrs.view import recorded_event
from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.process.dead_letters import Hold, OpenLetter, ProcessLetters, letter_record

#: The reason of a record that is held back.
BEHIND = "an earlier record of this key is a dead letter"
#: The kinds of refusals that mean that the aggregate has decided nothing.
UNDECIDED = frozenset({HeldBack.KIND, "internal"})
_MOST = 500  # characters of a reason
_encode = msgspec.json.Encoder().encode
_message = msgspec.json.Decoder(CommandMessage).decode
_logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class ProcessStep:
    """What one append has: the records, the arrow of each command, and how many dead letters are new."""

    records: list[NewRecord] = field(default_factory=list)
    arrows: list[str] = field(default_factory=list)
    set_aside: int = 0


class StepMaker:
    """Makes the steps of a process in one partition.

    The dead letters are changed at once: if the append fails, they must be read again.
    """

    def __init__(self, process: Process, letters: ProcessLetters, clock: Clock, ids: Ids) -> None:
        self._process = process
        self._letters = letters
        self._clock = clock
        self._ids = ids
        self._types = process.catalogue.types_read_as(process.events)
        self._step = ProcessStep()

    def take(self) -> ProcessStep:
        """Return the step that was made, and begin the next."""
        step, self._step = self._step, ProcessStep()
        return step

    def add(self, record: Record) -> None:
        """Add what an event, or the refusal of a command, leads to."""
        position = _position(record)
        if self._letters.knows(str(position)):
            return
        handle = self._add_event if record.topic == self._process.topic else self._add_refusal
        try:
            envelope = decode_envelope(record.value)
            if envelope.type == DROPPED and record.topic == self._process.topic:
                self._give_up(Position(record.topic, record.partition, dropped(envelope) or 0))
                return
            if not self._concerns(record.topic, envelope):
                return
        except Malformed as fault:
            self._set_aside(record, fault)
            return
        if self._letters.head((record.topic, record.key)) is not None:
            self._letter(record.key, LetterAdded(position=str(position), reason=BEHIND, behind=True))
            return
        try:
            handle(record, envelope, position)
        except Exception as fault:  # noqa: BLE001 (whatever an arrow raises, only this key is affected)
            self._set_aside(record, fault)

    def set_aside(self, record: Record, reason: str) -> None:
        """Add a record as a dead letter, because the log rejects its commands."""
        self._letter(record.key, LetterAdded(position=str(_position(record)), reason=reason))

    def retry(self, opened: OpenLetter, record: Record | None, request: Record) -> None:
        """Add the commands of an open dead letter; their origin is the request's position.

        `record` is the one that was set aside; None if it is no longer in its topic.
        """
        letter, origin = opened.letter, _position(request)
        try:
            if letter.command:
                self._send_again(_message(letter.command.encode()), letter.to, origin)
            elif record is None:
                msg = f"the record {letter.position} is no longer in its topic"
                raise Malformed(msg)  # noqa: TRY301 (one of several reasons)
            else:
                handle = self._add_event if record.topic == self._process.topic else self._add_refusal
                handle(record, decode_envelope(record.value), origin)
        except Exception as fault:
            reason = _reason(fault)
            _logger.warning("dead-letters-added", **self._where(letter.position), why=reason, exc_info=fault)
            self._letter(opened.key, msgspec.structs.replace(letter, reason=reason, behind=False))
            return
        if self._letters.find(letter.position) is opened:
            self._settle(opened)
        else:  # its aggregate has refused a command: that waits under another name now
            self._retry_next(opened.hold)

    def drop(self, opened: OpenLetter) -> None:
        """Add that an open dead letter is given up."""
        self._settle(opened)

    def _concerns(self, topic: str, envelope: Envelope) -> bool:
        if topic == self._process.topic:
            return envelope.type in self._types
        return envelope.type == CommandRefused.TYPE

    def _add_event(self, record: Record, envelope: Envelope, origin: Position) -> None:
        """Add the commands of an event. Raises `Malformed`, or whatever its arrows raise."""
        event = self._process.catalogue.decode(envelope.type, bytes(envelope.data))
        if event is None:
            return
        sends = self._process.commands(recorded_event(event, envelope, record.partition, record.offset))
        self._send(sends, origin, envelope, envelope.subject)

    def _add_refusal(self, record: Record, envelope: Envelope, origin: Position) -> None:
        """Add the commands of a refusal; one that was not decided becomes a dead letter too."""
        event = REPLIES.decode(envelope.type, bytes(envelope.data))
        if not isinstance(event, CommandRefused):
            return
        refused = _refused_command(event, envelope)
        self._send(self._process.answer(refused), origin, envelope, refused.correlation)
        if refused.kind in UNDECIDED and event.command is not None:
            hold = self._letters.head((envelope.source, record.key))
            letter = LetterAdded(
                position=str(_position(record)),
                reason=event.detail,
                behind=hold is not None,
                to=envelope.source,
                command=event.command,
            )
            self._letter(record.key, letter)

    def _send(
        self, sends: list[tuple[str, Send]], origin: Position, cause: Envelope, correlation: str
    ) -> None:
        name = self._process.name
        messages = [
            command_message(
                send.to,
                send.command,
                id=f"{name}-{origin.topic}-{origin.partition}-{origin.offset}-{number}",
                source=name,
                subject=send.subject,
                time=self._clock.now(),
                actor=cause.actor,
                correlationid=correlation,
                causationid=cause.id,
                traceparent=cause.traceparent,
                origin=f"{name}:{origin}",
                replyto=self._process.answers,
                replies="refusals",
            )
            for number, (_, send) in enumerate(sends)
        ]
        self._step.records += messages
        self._step.arrows += [arrow for arrow, _ in sends]

    def _send_again(self, message: CommandMessage, to: str, origin: Position) -> None:
        name = self._process.name
        again = msgspec.structs.replace(
            message,
            id=f"{name}-{origin.topic}-{origin.partition}-{origin.offset}-0",
            time=self._clock.now(),
            origin=f"{name}:{origin}",
        )
        self._step.records.append(NewRecord(message.subject, _encode(again), f"{to}.commands"))
        self._step.arrows.append("retry")

    def _set_aside(self, record: Record, fault: Exception) -> None:
        position, reason = str(_position(record)), _reason(fault)
        defect = None if isinstance(fault, Malformed) else fault
        _logger.warning("dead-letters-added", **self._where(position), why=reason, exc_info=defect)
        self._letter(record.key, LetterAdded(position=position, reason=reason))

    def _give_up(self, position: Position) -> None:
        """Settle the dead letter of a record that an operator has given up for all readers of its topic."""
        opened = self._letters.find(str(position))
        if opened is not None:
            self._settle(opened)

    def _settle(self, opened: OpenLetter) -> None:
        self._letter(opened.key, LetterSettled(position=opened.letter.position))
        self._retry_next(opened.hold)

    def _retry_next(self, hold: Hold) -> None:
        """Request the retry of the first that a settled dead letter has held back."""
        following = self._letters.head(hold)
        if following is not None:
            self._letter(following.key, LetterRetried(position=following.letter.position))

    def _letter(self, key: str, event: LetterAdded | LetterRetried | LetterSettled) -> None:
        self._step.set_aside += isinstance(event, LetterAdded) and not self._letters.knows(event.position)
        self._letters.apply(key, event, self._letters.end)
        name = self._process.name
        record = letter_record(name, key, event, self._ids.new(), self._clock)
        self._step.records.append(msgspec.structs.replace(record, topic=self._process.dead_letters))

    def _where(self, position: str) -> dict[str, str]:
        return {"process": self._process.name, "position": position, "see": "bookshelf dlq list"}


def _position(record: Record) -> Position:
    return Position(record.topic, record.partition, record.offset)


def _reason(fault: Exception) -> str:
    return (f"{type(fault).__name__}: {fault}")[:_MOST]


def _refused_command(event: CommandRefused, envelope: Envelope) -> RefusedCommand:
    kind = "" if event.command is None else _message(event.command.encode()).type
    return RefusedCommand(
        to=envelope.source,
        subject=envelope.subject,
        type=kind,
        id=envelope.causationid,
        kind=event.type.rpartition(":")[2],
        detail=event.detail,
        field=event.field,
        correlation=envelope.correlationid,
        actor=envelope.actor,
        time=envelope.time,
    )
