"""What a service says of itself in its OpenAPI document."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.discovery.port import Instance
from gateway.routing.operation import BadOperation, Operation, operations

#: What one document may have: operations, components, and values inside each other.
_OPERATIONS = 500
_COMPONENTS = 1000
_DEPTH = 64


class BadDocument(Exception):
    """What a service serves as its document cannot be used; says why."""


class Origin(msgspec.Struct, frozen=True):
    """The document's `x-bookshelf`: whose it is, and the tags that the service is discovered by."""

    service: Annotated[str, Meta(min_length=1)]
    tags: Annotated[tuple[str, ...], Meta(min_length=1)]


class Tag(msgspec.Struct, frozen=True, omit_defaults=True):
    """What operations are grouped by in the docs."""

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
    """As much of an OpenAPI 3.1 document as the gateway needs; the rest is let be.

    `tags`: what its instances are found by; `own`: only instances under the service's own name are, because
    it is the registry, and not the service, that says these tags.
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
    """Read the document that an instance serves. Raises `BadDocument`."""
    service = instance.service
    try:
        found = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadDocument(f"the document of {service} cannot be read: {fault}") from fault
    listed = list(operations(found.paths, found.components, found.security))
    if (trouble := _trouble(found, service, len(listed))) is not None:
        raise BadDocument(trouble)
    return Document(
        service=service,
        tags=found.origin.tags if found.origin else instance.tags,
        own=found.origin is None,
        operations=tuple(one for one in listed if isinstance(one, Operation)),
        bad=tuple(one for one in listed if isinstance(one, BadOperation)),
        paths=found.paths,
        components=found.components,
        groups=tuple(found.tags),
    )


def _trouble(found: _Read, service: str, listed: int) -> str | None:
    """Say why a document that can be read is not used; None if it is."""
    parts = sum(map(len, found.components.values()))
    if found.swagger is not msgspec.UNSET:
        return f"the document of {service} is of OpenAPI 2; 3 is understood"
    if found.origin is not None and found.origin.service != service:
        return f"an instance of {service} serves the document of {found.origin.service}"
    if listed > _OPERATIONS:
        return f"the document of {service} has {listed} operations, over {_OPERATIONS}"
    if parts > _COMPONENTS:
        return f"the document of {service} has {parts} components, over {_COMPONENTS}"
    if _too_deep([found.paths, found.components]):
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
