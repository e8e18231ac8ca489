"""Command requests and command results: what an owner is given, and what it returns."""

from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import inspect

from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import Position


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to carry out one command on one aggregate. `id` is the same in every retry.

    `hash` is the hash of the content, and `older_hash` the one that earlier releases computed
    (`content_hashes`); both are set only if the client chose the id. With `expects`, the aggregate must have
    one of these versions. `fresh` is True if the subject's id was never used before. `causation` is the id of
    the message that led to the command, if any. `undoes` is the id of the change that it takes back.
    `origin` is the record that a process acted on; it takes the place of the id in recognising a repetition.
    `size` is the size of the request in bytes.
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
    size: int = 0


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


class CommandResult(msgspec.Struct, frozen=True):
    """The state and version after a command. `replayed`: it was a repetition, and nothing was appended.

    `change` is the id of the command's first event; empty if it has none.
    """

    subject: str
    state: Any
    version: int
    position: Position | None
    replayed: bool
    change: str = ""


class NotOwner(Exception):
    """Another instance owns the partition, or is about to: the command belongs there."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} is owned elsewhere")
        self.partition = partition


class Busy(Exception):
    """The command queue is full: the client should send the command again later."""
