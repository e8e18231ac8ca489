"""Reads the OpenAPI document of a service, as far as the gateway uses it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.discovery.port import Instance
from gateway.routing.operation import BadOperation, Operation, operations

#: Limits of one document: operations, components, depth of nested values.
_OPERATIONS = 500
_COMPONENTS = 1000
_DEPTH = 64


class BadDocument(Exception):
    """The document of a service cannot be used; the message gives the reason."""


class Origin(msgspec.Struct, frozen=True):
    """The document's `x-bookshelf`: the name of its service, and the tags of the service's instances."""

    service: Annotated[str, Meta(min_length=1)]
    tags: Annotated[tuple[str, ...], Meta(min_length=1)]


class Tag(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tag that groups operations in the API documentation."""

    name: str
    description: str = ""


class _Read(msgspec.Struct, frozen=True):
    origin: Origin | None = msgspec.field(name="x-bookshelf", default=None)
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}
    tags: list[Tag] = []
    security: Any = None
    swagger: msgspec.UnsetType | msgspec.Raw = msgspec.UNSET


class Document(msgspec.Struct, frozen=True):
    """The parts of an OpenAPI 3.1 document that the gateway needs.

    `tags`: the tags by which instances of the service are found. `own`: only instances under the service's
    own name are used, because these tags come from the registry, not from the document. `bad`: operations
    that cannot be routed. `groups`: the document's tags.
    """

    service: str
    tags: tuple[str, ...]
    own: bool = False
    operations: tuple[Operation, ...] = ()
    bad: tuple[BadOperation, ...] = ()
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}
    groups: tuple[Tag, ...] = ()


_decode = msgspec.json.Decoder(_Read).decode


def read(content: bytes, instance: Instance) -> Document:
    """Decode and check the document that an instance serves. Raises `BadDocument`."""
    service = instance.service
    try:
        decoded = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadDocument(f"the document of {service} cannot be read: {fault}") from fault
    listed = list(operations(decoded.paths, decoded.components, decoded.security))
    if (trouble := _trouble(decoded, service, len(listed))) is not None:
        raise BadDocument(trouble)
    return Document(
        service=service,
        tags=decoded.origin.tags if decoded.origin else instance.tags,
        own=decoded.origin is None,
        operations=tuple(operation for operation in listed if isinstance(operation, Operation)),
        bad=tuple(operation for operation in listed if isinstance(operation, BadOperation)),
        paths=decoded.paths,
        components=decoded.components,
        groups=tuple(decoded.tags),
    )


def _trouble(decoded: _Read, service: str, listed: int) -> str | None:
    """Return why a decoded document is refused; None if it is accepted."""
    parts = sum(map(len, decoded.components.values()))
    if decoded.swagger is not msgspec.UNSET:
        return f"the document of {service} is of OpenAPI 2; version 3 is needed"
    if decoded.origin is not None and decoded.origin.service != service:
        return f"an instance of {service} serves the document of {decoded.origin.service}"
    if listed > _OPERATIONS:
        return f"the document of {service} has {listed} operations, over {_OPERATIONS}"
    if parts > _COMPONENTS:
        return f"the document of {service} has {parts} components, over {_COMPONENTS}"
    if _too_deep([decoded.paths, decoded.components]):
        return f"the document of {service} has more than {_DEPTH} values inside each other"
    return None


def _too_deep(level: list[Any]) -> bool:
    for _ in range(_DEPTH):
        level = [
            inner
            for part in level
            if isinstance(part, dict | list)
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return False
    return True
