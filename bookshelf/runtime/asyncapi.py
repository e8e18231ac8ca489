"""AsyncAPI 3.0 of the log: topics are its channels, events and commands their messages.

Source: the AsyncAPI specification 3.0.0.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from bookshelf import __version__
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_message import REPLIES, CommandMessage, CommandRefused
from bookshelf.cqrs.dead_letters import DEAD_LETTERS
from bookshelf.cqrs.envelope import ANSWERED, DROPPED, Dropped, Envelope
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.process import Process
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.view import View
from bookshelf.runtime.openapi import Json, publish_schema
from bookshelf.runtime.schemas import catalogues_of

_SCHEMAS = "#/components/schemas/"
_REPLIES = "replies"
#: Events that may be in any topic of events.
_IN_ANY = {
    ANSWERED: "A command with an id had nothing to append; so its repetition appends nothing either.",
    DROPPED: "An operator has given up a record of this partition that cannot be read.",
}
_ABOUT = (
    "Each message is a CloudEvents 1.0 envelope in structured JSON. Its key is its `subject`: messages with "
    "one subject are in one partition, in their order. On Kafka, topics have the prefix of the setting "
    "`kafka_prefix`."
)


def asyncapi_document(services: Sequence[Service]) -> Json:
    """Return the document of all topics that these services read or write."""
    catalogues = catalogues_of(services)
    aggregates = [part for service in services for part in service.aggregates]
    events = {kind.TYPE: kind for listed in catalogues.values() for one in listed for kind in one}
    replies = {kind.TYPE: kind for kind in REPLIES}
    processes = [part for service in services for part in service.processes]
    letters = {kind.TYPE: kind for kind in DEAD_LETTERS} if processes else {}
    commands = {kind.TYPE: kind for aggregate in aggregates for kind in aggregate.takes}
    data, schemas = _schemas([*events.values(), *replies.values(), *letters.values(), *commands.values()])
    messages = {
        kind: _message(kind, _summary(struct), data[kind], Envelope)
        for kind, struct in (events | replies | letters).items()
    }
    messages |= {
        kind: _message(kind, _summary(struct), data[kind], CommandMessage)
        for kind, struct in commands.items()
    }
    messages |= {kind: _message(kind, text, data[kind], Envelope) for kind, text in _IN_ANY.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Bookshelf", "version": __version__, "description": _ABOUT},
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            **{
                topic: _channel(topic, "Events.", [*(k.TYPE for one in listed for k in one), *_IN_ANY])
                for topic, listed in catalogues.items()
            },
            **{
                one.commands: _channel(one.commands, f"Commands for {one.name}.", [k.TYPE for k in one.takes])
                for one in aggregates
                if one.takes
            },
            **{channel["address"]: channel for one in processes for channel in _channels_of(one)},
            _REPLIES: _channel(None, "Answers to commands: a topic of the sender's.", list(replies)),
        },
        "operations": dict(_operations(services)),
        "components": {"messages": messages, "schemas": schemas},
    }


def _schemas(kinds: Sequence[type[Event | Command]]) -> tuple[dict[str, Json], Json]:
    """Return the schema of each message's data by its type, and the components that they refer to."""
    listed: list[Any] = [*kinds, Dropped, Envelope, _command_envelope()]
    refs, found = msgspec.json.schema_components(listed, ref_template=f"{_SCHEMAS}{{name}}")
    schemas = {name: publish_schema(schema) for name, schema in found.items()}
    data: dict[str, Json] = {kind.TYPE: ref for kind, ref in zip(kinds, refs, strict=False)}
    for kind in kinds:
        if issubclass(kind, Command):
            # left out, it is the time of the envelope
            schema = schemas[data[kind.TYPE]["$ref"].removeprefix(_SCHEMAS)]
            schema["required"] = [name for name in schema["required"] if name != "at"]
    return {**data, DROPPED: refs[len(kinds)], ANSWERED: {"type": "object"}}, schemas


def _command_envelope() -> type[msgspec.Struct]:
    """Return the envelope of a command without its data: raw JSON as a default is no part of a schema."""
    fields = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(CommandMessage)
        if field.name != "data"
    ]
    return msgspec.defstruct(
        CommandMessage.__name__, fields, kw_only=True, namespace={"__doc__": CommandMessage.__doc__}
    )


def _summary(kind: type[Event | Command]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _message(kind: str, summary: str, data: Json, envelope: type[msgspec.Struct]) -> Json:
    own = {"type": "object", "properties": {"type": {"const": kind}, "data": data}}
    return {
        "name": kind,
        "summary": summary,
        "payload": {"allOf": [{"$ref": f"{_SCHEMAS}{envelope.__name__}"}, own]},
        "bindings": {"kafka": {"key": {"type": "string", "description": "the `subject`"}}},
    }


def _channel(address: str | None, description: str, kinds: Iterable[str]) -> Json:
    messages = {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds}
    return {"address": address, "description": description, "messages": messages}


def _channels_of(process: Process) -> Iterator[Json]:
    name = process.name
    yield _channel(process.answers, f"Refusals of the commands of {name}.", [CommandRefused.TYPE])
    yield _channel(process.dead_letters, f"Dead letters of {name}.", [kind.TYPE for kind in DEAD_LETTERS])


def _operations(services: Iterable[Service]) -> Iterator[tuple[str, Json]]:
    """Yield what each part does with a topic; `send` is what a service sends, `receive` what it reads."""
    for service in services:
        for part in service.runs:
            if isinstance(part, View):
                kinds = sorted(kind.TYPE for kind in part.handlers)
                yield (
                    f"{part.name}.view",
                    _operation("receive", part.topic, f"The view {part.name} of {service.name}.", kinds),
                )
            elif isinstance(part, Process):
                kinds = sorted(kind.TYPE for kind in part.events)
                summary = f"The process {part.name} of {service.name}."
                yield f"{part.name}.process", _operation("receive", part.topic, summary, kinds)
                yield f"{part.name}.refused", _operation("receive", part.answers, summary, None)
            else:
                yield (
                    f"{part.name}.append",
                    _operation("send", part.topic, f"{service.name} appends events.", None),
                )
                if part.takes:
                    yield f"{part.name}.commands", _take_commands(part)


def _take_commands(aggregate: Aggregate[Any]) -> Json:
    kinds = [kind.TYPE for kind in aggregate.takes]
    summary = (
        f"{aggregate.name} carries out commands; the answer goes to the topic in `replyto`, if there is one."
    )
    reply = {
        "address": {"location": "$message.payload#/replyto"},
        "channel": {"$ref": f"#/channels/{_REPLIES}"},
    }
    return {**_operation("receive", aggregate.commands, summary, kinds), "reply": reply}


def _operation(action: str, topic: str, summary: str, kinds: Iterable[str] | None) -> Json:
    made: Json = {"action": action, "channel": {"$ref": f"#/channels/{topic}"}, "summary": summary}
    if kinds is not None:
        made["messages"] = [{"$ref": f"#/channels/{topic}/messages/{kind}"} for kind in kinds]
    return made
