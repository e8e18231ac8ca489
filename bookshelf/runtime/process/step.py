"""Turns the records that a process reads into one append, without any I/O."""

from dataclasses import dataclass, field

import msgspec
import structlog

from bookshelf.cqrs.command_message import REPLIES, CommandMessage, CommandRefused
from bookshelf.cqrs.dead_letters import LetterAdded, LetterRetried, LetterSettled
from bookshelf.cqrs.envelope import DROPPED, Envelope, decode_envelope, dropped
from bookshelf.cqrs.errors import HeldBack, Malformed
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.process import CommandSender, Process, RefusedCommand, Send
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
    """What one append has: the records, the arrow of each command, and the dead letters.

    Those are positions, by the number of the record that adds them.
    """

    records: list[NewRecord] = field(default_factory=list)
    arrows: list[str] = field(default_factory=list)
    letters: dict[int, str] = field(default_factory=dict)


class StepMaker:
    """Makes the steps of a process or a connector in one partition, but for what its events lead to.

    The dead letters are changed at once: if the append fails, they must be read again.
    """

    def __init__(self, sender: CommandSender, letters: ProcessLetters, clock: Clock, ids: Ids) -> None:
        self._sender = sender
        self._letters = letters
        self._clock = clock
        self._ids = ids
        self._types = sender.catalogue.types_read_as(sender.events)
        self._acts = {sender.answers: self._add_refusal}
        self._step = ProcessStep()

    def take(self) -> ProcessStep:
        """Return the step that was made, and begin the next."""
        step, self._step = self._step, ProcessStep()
        return step

    def add(self, record: Record) -> None:
        """Add what a record leads to."""
        try:
            envelope = self.read(record)
        except Malformed as fault:
            self.fail(record, fault)
            return
        if envelope is None or self.hold_back(record):
            return
        try:
            self._acts[record.topic](record, envelope, position_of(record))
        except Exception as fault:  # noqa: BLE001 (whatever an arrow raises, only this key is affected)
            self.fail(record, fault)

    def read(self, record: Record) -> Envelope | None:
        """Return the envelope of a record that leads to anything; None for any other. Raises `Malformed`."""
        if self._letters.knows(record.topic, record.offset):
            return None
        envelope = decode_envelope(record.value)
        if envelope.type == DROPPED and record.topic == self._sender.topic:
            self._give_up(Position(record.topic, record.partition, dropped(envelope) or 0))
            return None
        return envelope if self._concerns(record.topic, envelope) else None

    def hold_back(self, record: Record) -> bool:
        """Add a record as a dead letter if an earlier one of its key is one; return whether that is so."""
        if self._letters.head((record.topic, record.key)) is None:
            return False
        self._letter(record.key, LetterAdded(position=str(position_of(record)), reason=BEHIND, behind=True))
        return True

    def set_aside(self, record: Record, reason: str) -> None:
        """Add a record as a dead letter, because the log rejects its commands."""
        self._letter(record.key, LetterAdded(position=str(position_of(record)), reason=reason))

    def fail(self, record: Record, fault: Exception) -> None:
        """Add a record as a dead letter, because it cannot be read or acted on."""
        position, reason = str(position_of(record)), reason_of(fault)
        self._warn(position, reason, fault)
        self._letter(record.key, LetterAdded(position=position, reason=reason))

    def retry(self, opened: OpenLetter, letter: LetterAdded, record: Record | None, request: Record) -> None:
        """Add the commands of an open dead letter; their origin is the request's position.

        `letter` is its last failure, `record` the one that was set aside; None if it is no longer there.
        """
        origin = position_of(request)
        try:
            if letter.command:
                self._send_again(_message(letter.command.encode()), letter.to, origin)
            elif record is None:
                msg = f"the record {letter.position} is no longer in its topic"
                raise Malformed(msg)  # noqa: TRY301 (one of several reasons)
            else:
                self._acts[record.topic](record, decode_envelope(record.value), origin)
        except Exception as fault:  # noqa: BLE001 (as above)
            self.fail_again(opened, letter, fault)
            return
        if self._letters.find(letter.position) is opened:
            self.settle(opened)
        else:  # its aggregate has refused a command: that waits under another name now
            self._retry_next(opened.hold)

    def fail_again(self, opened: OpenLetter, letter: LetterAdded, fault: Exception) -> None:
        """Add that the retry of a dead letter has failed."""
        reason = reason_of(fault)
        self._warn(letter.position, reason, None if reason == letter.reason else fault)
        self._letter(opened.key, msgspec.structs.replace(letter, reason=reason, behind=False))

    def settle(self, opened: OpenLetter) -> None:
        """Add that an open dead letter is one no more, and request the retry of what it has held back."""
        self._letter(opened.key, LetterSettled(position=opened.position))
        self._retry_next(opened.hold)

    def _concerns(self, topic: str, envelope: Envelope) -> bool:
        if topic == self._sender.topic:
            return envelope.type in self._types
        return envelope.type == CommandRefused.TYPE

    def _add_refusal(self, record: Record, envelope: Envelope, origin: Position) -> None:
        """Add the commands of a refusal; one that was not decided becomes a dead letter too."""
        event = REPLIES.decode(envelope.type, bytes(envelope.data))
        if not isinstance(event, CommandRefused):
            return
        refused = _refused_command(event, envelope)
        self.send(self._sender.answer(refused), origin, envelope, refused.correlation)
        if refused.kind in UNDECIDED and event.command is not None:
            hold = self._letters.head((envelope.source, record.key))
            letter = LetterAdded(
                position=str(position_of(record)),
                reason=event.detail,
                behind=hold is not None,
                to=envelope.source,
                command=event.command,
            )
            self._letter(record.key, letter)

    def send(
        self, sends: list[tuple[str, Send]], origin: Position, cause: Envelope, correlation: str
    ) -> None:
        """Add commands; one that was set aside before is not sent again."""
        name = self._sender.name
        prefix = f"{name}-{origin.topic}-{origin.partition}-{origin.offset}"
        numbered = [
            (number, arrow, send)
            for number, (arrow, send) in enumerate(sends)
            if not self._letters.has_set_aside(f"{prefix}-{number}")
        ]
        messages = [
            command_message(
                send.to,
                send.command,
                id=f"{prefix}-{number}",
                source=name,
                subject=send.subject,
                time=self._clock.now(),
                actor=cause.actor,
                correlationid=correlation,
                causationid=cause.id,
                traceparent=cause.traceparent,
                origin=f"{name}:{origin}",
                replyto=self._sender.answers,
                replies="refusals",
            )
            for number, _, send in numbered
        ]
        self._step.records += messages
        self._step.arrows += [arrow for _, arrow, _ in numbered]

    def _send_again(self, message: CommandMessage, to: str, origin: Position) -> None:
        name = self._sender.name
        again = msgspec.structs.replace(
            message,
            id=f"{name}-{origin.topic}-{origin.partition}-{origin.offset}-0",
            time=self._clock.now(),
            origin=f"{name}:{origin}",
        )
        record = NewRecord(message.subject, _encode(again), f"{to}.commands", message.partitionkey)
        self._step.records.append(record)
        self._step.arrows.append("retry")

    def _give_up(self, position: Position) -> None:
        """Settle the dead letter of a record that an operator has given up for all readers of its topic."""
        opened = self._letters.find(str(position))
        if opened is not None:
            self.settle(opened)

    def _retry_next(self, hold: Hold) -> None:
        """Request the retry of the first that a settled dead letter has held back."""
        following = self._letters.head(hold)
        if following is not None:
            self._letter(following.key, LetterRetried(position=following.position))

    def _letter(self, key: str, event: LetterAdded | LetterRetried | LetterSettled) -> None:
        step, name = self._step, self._sender.name
        if isinstance(event, LetterAdded):
            step.letters[len(step.records)] = event.position
        record = letter_record(name, key, event, self._ids.new(), self._clock.now())
        self._letters.apply(key, event, self._letters.end, self._clock.now())
        step.records.append(msgspec.structs.replace(record, topic=self._sender.dead_letters))

    def _warn(self, position: str, why: str, fault: Exception | None) -> None:
        # a record that cannot be read, and a system that does not answer, need no traceback
        defect = None if isinstance(fault, Malformed | OSError) else fault
        fields = {"process": self._sender.name, "position": position, "see": "bookshelf dlq list"}
        _logger.warning("dead-letters-added", **fields, why=why, exc_info=defect)


class ProcessStepMaker(StepMaker):
    """Makes the steps of a process: its events lead to the commands of their arrows at once."""

    def __init__(self, process: Process, letters: ProcessLetters, clock: Clock, ids: Ids) -> None:
        super().__init__(process, letters, clock, ids)
        self._process = process
        self._acts[process.topic] = self._add_event

    def _add_event(self, record: Record, envelope: Envelope, origin: Position) -> None:
        """Add the commands of an event. Raises `Malformed`, or whatever its arrows raise."""
        event = self._process.catalogue.decode(envelope.type, bytes(envelope.data))
        if event is None:
            return
        sends = self._process.commands(recorded_event(event, envelope, record.partition, record.offset))
        self.send(sends, origin, envelope, envelope.subject)


def position_of(record: Record) -> Position:
    """Return the position of a record."""
    return Position(record.topic, record.partition, record.offset)


def reason_of(fault: Exception) -> str:
    """Return the reason of a dead letter."""
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
