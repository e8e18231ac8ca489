"""JSON Schemas of the data of every event, and the AsyncAPI document of the log.

Old records are read for as long as the log is kept, and readers outside of the project depend on the fields
that they know: docs/events.md has the rules. `compare_schemas` finds the changes that would break them.
In AsyncAPI 3.0.0, topics are channels, events and commands their messages.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bookshelf import __version__
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.command_message import REPLIES, CommandMessage, CommandRefused
from bookshelf.cqrs.dead_letters import DEAD_LETTERS
from bookshelf.cqrs.envelope import ANSWERED, DROPPED, Dropped, Envelope
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.process import CommandSender, Process
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.view import View
from bookshelf.runtime.openapi_schemas import Json, publish_schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFS = "#/$defs/"
#: What a schema has for people; no reader depends on it.
_ANNOTATIONS = {"title", "description", "examples", "$schema", "$defs"}
_COMPARED_APART = {"properties", "required", "items", "anyOf", "default"}


def catalogues_of(services: Iterable[Service]) -> dict[str, list[Catalogue]]:
    """Return the catalogues of each topic that events of these services are in."""
    found: dict[str, list[Catalogue]] = {}
    for part in (part for service in services for part in service.runs):
        catalogues = found.setdefault(part.topic, [])
        if all(part.catalogue is not known for known in catalogues):
            catalogues.append(part.catalogue)
    return found


def event_schemas(catalogues: Iterable[Catalogue]) -> dict[str, Json]:
    """Return the schema of the data of each event by its type, with the events that are in any topic."""
    kinds = {kind.TYPE: kind for catalogue in (*catalogues, REPLIES, DEAD_LETTERS) for kind in catalogue}
    found = {name: _data_schema(name, kind) for name, kind in kinds.items()}
    found[DROPPED] = _data_schema(DROPPED, Dropped)
    found[ANSWERED] = {"$schema": _DIALECT, "title": ANSWERED, "type": "object"}
    return dict(sorted(found.items()))


def _data_schema(name: str, kind: type[Event | Dropped]) -> Json:
    """Return a schema that stands alone: what it refers to is in its own `$defs`."""
    schema = msgspec.json.schema(kind)
    own = schema["$ref"].removeprefix(_DEFS)
    others = {key: publish_schema(part) for key, part in schema["$defs"].items() if key != own}
    made: Json = {"$schema": _DIALECT, **publish_schema(schema["$defs"][own]), "title": name}
    # as it is read from a file: a tuple that is a default is an array
    as_read: Json = msgspec.json.decode(msgspec.json.encode({**made, "$defs": others} if others else made))
    return as_read


def compare_schemas(
    services: Iterable[Service], folder: Path
) -> tuple[dict[str, Json], dict[str, Json], list[str]]:
    """Return the schemas of the services' events, those committed in a folder, and the breaking changes."""
    catalogues = [catalogue for listed in catalogues_of(services).values() for catalogue in listed]
    current = event_schemas(catalogues)
    committed = {file.stem: msgspec.json.decode(file.read_bytes()) for file in sorted(folder.glob("*.json"))}
    retired = {upcast.retired for catalogue in catalogues for upcast in catalogue.upcasts}
    return current, committed, breaking_changes(committed, current, retired)


def breaking_changes(
    committed: Mapping[str, Json], current: Mapping[str, Json], retired: Collection[str] = ()
) -> list[str]:
    """Return one line for each change that breaks a reader, or the reading of an old record.

    `retired` are the types that are only upcast: they may be missing in `current`. New events and new fields
    that may be left out break nothing.
    """
    found = []
    for name, schema in committed.items():
        if name in current:
            changes = _Comparison(schema, current[name]).changes(schema, current[name], "")
            found += [f"{name}: {change}" for change in dict.fromkeys(changes)]
        elif name not in retired:
            found.append(f"{name}: the event was removed; keep its class, or add an Upcast from it")
    return found


class _Comparison:
    """Two versions of one event's schema; each has its own definitions."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old_definitions: Json = old.get("$defs", {})
        self._new_definitions: Json = new.get("$defs", {})
        self._compared: set[tuple[str, str]] = set()

    def changes(self, old: Json, new: Json, place: str) -> Iterator[str]:
        """Yield what breaks between two schemas; `place` is the dotted path of the field, "" for all data."""
        refs = (old.get("$ref", ""), new.get("$ref", ""))
        if all(refs):
            if refs in self._compared:
                return
            self._compared.add(refs)
        old, new = _resolve(old, self._old_definitions), _resolve(new, self._new_definitions)
        if _rest(old) != _rest(new) or len(old.get("anyOf", ())) != len(new.get("anyOf", ())):
            yield f"{_name(place)} changed its type from {_shape(old)} to {_shape(new)}"
            return
        yield from self._changes_of_fields(old, new, place)
        if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
            yield from self.changes(old["items"], new["items"], f"{place}[]")
        elif old.get("items") != new.get("items"):
            yield f"{_name(place)} changed its type from {_shape(old)} to {_shape(new)}"
        for was, now in zip(old.get("anyOf", ()), new.get("anyOf", ()), strict=True):
            yield from self.changes(was, now, place)

    def _changes_of_fields(self, old: Json, new: Json, place: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            inner = f"{place}.{name}".removeprefix(".")
            if name not in after:
                yield f"{_name(inner)} was removed"
                continue
            changes = list(self.changes(schema, after[name], inner))
            yield from changes
            was, now = (_json(version.get("default")) for version in (schema, after[name]))
            if not changes and was != now and name not in new.get("required", ()):
                yield f"{_name(inner)} changed its default from {was} to {now}"
        for name in new.get("required", ()):
            if name not in old.get("required", ()):
                inner = _name(f"{place}.{name}".removeprefix("."))
                yield f"{inner} is required now" if name in before else f"{inner} is new and required"


def _resolve(schema: Json, definitions: Json) -> Json:
    """Return what a reference refers to, with what stands beside it."""
    if "$ref" not in schema:
        return schema
    beside = {key: part for key, part in schema.items() if key != "$ref"}
    return {**definitions[schema["$ref"].removeprefix(_DEFS)], **beside}


def _rest(schema: Json) -> Json:
    return {key: part for key, part in schema.items() if key not in _ANNOTATIONS | _COMPARED_APART}


def _name(place: str) -> str:
    return f"the field {place}" if place else "its data"


def _shape(schema: Json) -> str:
    """Return a short name of a type, like `string or null`; limits are part of it."""
    if "anyOf" in schema:
        return " or ".join(_shape(part) for part in schema["anyOf"])
    rest = _rest(schema)
    kind = rest.pop("type", rest.pop("$ref", "any").removeprefix(_DEFS))
    return f"{kind} {_json(rest)}" if rest else str(kind)


def _json(value: Any) -> str:  # noqa: ANN401 (any JSON)
    return msgspec.json.encode(value).decode()


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
    senders = [sender for service in services for sender in service.senders]
    letters = {kind.TYPE: kind for kind in DEAD_LETTERS} if senders else {}
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
            **{channel["address"]: channel for one in senders for channel in _channels_of(one)},
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


def _channels_of(sender: CommandSender) -> Iterator[Json]:
    name = sender.name
    yield _channel(sender.answers, f"Refusals of the commands of {name}.", [CommandRefused.TYPE])
    yield _channel(sender.dead_letters, f"Dead letters of {name}.", [kind.TYPE for kind in DEAD_LETTERS])


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
            elif isinstance(part, CommandSender):
                kinds = sorted(kind.TYPE for kind in part.events)
                role = "process" if isinstance(part, Process) else "connector"
                summary = f"The {role} {part.name} of {service.name}."
                yield f"{part.name}.{role}", _operation("receive", part.topic, summary, kinds)
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
