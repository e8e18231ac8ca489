"""The command message, a command that arrives by topic, and its replies: CloudEvents 1.0, structured JSON.

Source: CloudEvents 1.0.2. `replyto` and `replies` are extension attributes of this project, as are those of
the envelope.
"""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event

# only what needs no escaping in a URL: an aggregate that a command message creates has an HTTP address too
_SUBJECT = r"^[A-Za-z0-9._~:@-]{1,200}$(?!\n)"
_ID = r"^[\x21\x23-\x7e]{1,255}$(?!\n)"
_TOPIC = r"^([a-z0-9][a-z0-9._-]{0,248})?$(?!\n)"
_ORIGIN = r"^([a-z0-9][a-z0-9-]{0,99}:[a-z0-9][a-z0-9._-]{0,248}/[0-9]{1,9}@[0-9]{1,18})?$(?!\n)"
_SUBJECT_IS = {"hint": "is 1 to 200 letters, digits, or . _ ~ : @ -"}
_ID_IS = {"hint": "is 1 to 255 printable ASCII characters, without spaces and quotes"}
_TOPIC_IS = {"hint": "is the name of a topic"}
_ORIGIN_IS = {"hint": "is a process and a position, like ordering:shop/0@42"}

Text = Annotated[str, Meta(max_length=255)]


def can_be_sent_to(subject: str) -> bool:
    """Return True if a text can be the id of an aggregate that a command is sent to."""
    return re.fullmatch(_SUBJECT, subject) is not None


class CommandMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command as it stands in its topic. `time` is aware; `subject` is the aggregate's id.

    `id` is the same in every retry; an answer is sent to the topic `replyto`, if one is named: every answer,
    or `refusals` only. `origin` is the position of the record that a process acted on: the command is a
    repetition if its aggregate has carried out one of the same process and partition that is not lower.
    `partitionkey` (CloudEvents' partitioning extension) is the id of the parent if the subject is a child:
    the key whose partition has the message.
    """

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(pattern=_ID, extra=_ID_IS)]
    source: Text
    type: Text
    subject: Annotated[str, Meta(pattern=_SUBJECT, extra=_SUBJECT_IS)]
    time: Annotated[datetime, Meta(tz=True)]
    datacontenttype: Literal["application/json"] = "application/json"
    data: msgspec.Raw = msgspec.Raw(b"{}")
    actor: Text = "reader"
    correlationid: Text = ""
    causationid: Text = ""
    traceparent: Text = ""
    undoes: Text = ""
    partitionkey: Text = ""
    origin: Annotated[str, Meta(pattern=_ORIGIN, extra=_ORIGIN_IS)] = ""
    replyto: Annotated[str, Meta(pattern=_TOPIC, extra=_TOPIC_IS)] = ""
    replies: Literal["all", "refusals"] = "all"


class ReturnAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes that a reply needs; also an otherwise invalid command message may have them."""

    id: Annotated[str, Meta(pattern=_ID, extra=_ID_IS)]
    replyto: Annotated[str, Meta(pattern=_TOPIC, extra=_TOPIC_IS)]
    replies: Literal["all", "refusals"] = "all"
    correlationid: Text = ""
    traceparent: Text = ""


class CommandDone(Event, frozen=True):
    """The command was carried out, now or before; it may have led to no event."""

    TYPE: ClassVar[str] = "bookshelf.command-done.v1"
    subject: str


class CommandRefused(Event, frozen=True):
    """The command changed nothing. `type` is a problem's (docs/problems.md), `field` a dotted path.

    A sender that gets refusals only gets the text of its command message back, as `command`.
    """

    TYPE: ClassVar[str] = "bookshelf.command-refused.v1"
    type: str
    detail: str
    field: str | None = None
    command: str | None = None


#: The events that a topic of replies can have.
REPLIES = Catalogue(CommandDone, CommandRefused)
