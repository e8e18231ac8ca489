"""The envelope of every event in the log: CloudEvents 1.0, structured JSON mode.

Source: CloudEvents 1.0.2 (specversion, id, source, type, subject, time, datacontenttype, data).
Extension attributes of this project: actor, commandid, commandhash, correlationid, causationid, traceparent,
undoes, origin, fencingtoken.
"""

from datetime import datetime
from typing import Literal

import msgspec

from bookshelf.cqrs.errors import Malformed

#: Appended when a command with an idempotency key led to no event, so that its retry is a repetition.
ANSWERED = "bookshelf.command-answered.v1"

#: Appended when an operator gives up an unreadable record: the records that it held back are then applied.
DROPPED = "bookshelf.record-dropped.v1"


class Dropped(msgspec.Struct, frozen=True):
    """The data of DROPPED: the offset of the record, in the partition that this one is in too."""

    offset: int


#: In place of a fencing token, which is an offset.
NO_TOKEN = -1


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event as it stands in the log. `time` is aware UTC; `subject` is the aggregate's id.

    `undoes` is the id of the change that the command takes back. `origin` is the record that a process or
    connector acted on, `NAME:topic/partition@offset`. `fencingtoken` is that of a command on a fenced
    aggregate, -1 without one.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    data: msgspec.Raw
    actor: str
    commandid: str = ""
    commandhash: str = ""
    correlationid: str = ""
    causationid: str = ""
    traceparent: str = ""
    undoes: str = ""
    origin: str = ""
    fencingtoken: int = NO_TOKEN


def event_id(change: str, number: int) -> str:
    """Return the id of an event of a change: the change's id for the first (0), then `ID.1`, `ID.2`."""
    return f"{change}.{number}" if number else change


def change_of(event_id: str) -> str:
    """Return the id of the change that an event belongs to: the id of the change's first event."""
    change, _, number = event_id.rpartition(".")
    return change if change and number.isdecimal() else event_id


_decode = msgspec.json.Decoder(Envelope).decode
encode_envelope = msgspec.json.Encoder().encode
_dropped = msgspec.json.Decoder(Dropped).decode


def decode_envelope(value: bytes) -> Envelope:
    """Decode the value of a record. Raises `Malformed` if it is not an envelope."""
    try:
        return _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        msg = f"not a CloudEvents 1.0 envelope: {fault}"
        raise Malformed(msg) from fault


def dropped(envelope: Envelope) -> int | None:
    """Return the offset of the record that an event gives up; None for any other. Raises `Malformed`."""
    if envelope.type != DROPPED:
        return None
    try:
        return _dropped(envelope.data).offset
    except msgspec.MsgspecError as fault:
        msg = f"{DROPPED}: {fault}"
        raise Malformed(msg) from fault
