"""A command on its way to its owner, and what came of it."""

from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import inspect

from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import Position


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One command to one aggregate. `id` is the same in every retry.

    `hash` is of the content and set only if the client chose the id, as is `older_hash`, in the form of
    earlier releases (`content_hashes`); `expects` are the versions of which one must be the aggregate's;
    `fresh` says that the subject's id was never used before; `causation` is the id of the message that the
    command itself follows from, if it does; `size` is that of the request in bytes.
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
    size: int = 0


def content_hashes(
    name: bytes, content: msgspec.Struct, former: msgspec.Struct | None = None
) -> tuple[str, str]:
    """Return the hash of a named content, and the one that earlier releases gave it.

    Fields with their default values are left out and the others sorted, so that a new optional field changes
    no hash. Earlier releases hashed all fields, in the order of their declaration;
    `former` is the content as they understood it, if that was another one.
    """
    contents = _canonical(_without_defaults(content)), _plain(content if former is None else former)
    hashes = [blake2b(b"%s\n%s" % (name, one), digest_size=16).hexdigest() for one in contents]
    return hashes[0], hashes[1]


_plain = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="deterministic").encode


def _without_defaults(value: Any) -> Any:  # noqa: ANN401 (whatever a field holds)
    """Return a value with dicts in place of structs, at any depth, without the fields of default value."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        fields = {} if config.tag_field is None else {config.tag_field: config.tag}
        for field, name, default, has_structs in _fields(type(value)):
            snapshot = getattr(value, field)
            if snapshot is default or snapshot is msgspec.UNSET:
                continue
            if type(snapshot) is not type(default) or snapshot != default:
                fields[name] = _without_defaults(snapshot) if has_structs else snapshot
        return fields
    if isinstance(value, dict):
        return {key: _without_defaults(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_defaults(item) for item in value]
    return value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Any, bool], ...]:
    """Return of each field: attribute, encoded name, default value, whether structs may be in it."""
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
    """Return True if values of the type may have structs in them; what is just any JSON has none."""
    parts = [getattr(kind, name) for name in kind.__struct_fields__]
    inner = [item for part in parts for item in (part if isinstance(part, tuple) else (part,))]
    return isinstance(kind, inspect.StructType) or any(
        _has_structs(item) for item in inner if isinstance(item, inspect.Type | inspect.Field)
    )


class CommandResult(msgspec.Struct, frozen=True):
    """What a command left behind. `replayed`: it had been carried out before, nothing was written."""

    subject: str
    state: Any
    version: int
    position: Position | None
    replayed: bool


class NotOwner(Exception):
    """The partition is not, or no longer, owned by this instance: ask the one that owns it."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} is owned elsewhere")
        self.partition = partition


class Busy(Exception):
    """More commands wait than can be answered in time: come again."""
