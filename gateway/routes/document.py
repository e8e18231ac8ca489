"""What a service says of itself at /openapi.json."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


class BadDocument(Exception):
    """What a service serves at /openapi.json cannot be used; says why."""


class Origin(msgspec.Struct, frozen=True):
    """The document's `x-bookshelf`: whose it is, and the tags that the service is discovered by."""

    service: Annotated[str, Meta(min_length=1)]
    tags: Annotated[tuple[str, ...], Meta(min_length=1)]


class Tag(msgspec.Struct, frozen=True, omit_defaults=True):
    """What operations are grouped by in the docs."""

    name: str
    description: str = ""


class Document(msgspec.Struct, frozen=True):
    """As much of an OpenAPI 3.1 document as the gateway needs; the rest is let be."""

    origin: Origin = msgspec.field(name="x-bookshelf")
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}
    tags: list[Tag] = []

    def routes(self) -> Iterator[tuple[str, str]]:
        """Yield each method, in capitals, and its path template."""
        for path, item in self.paths.items():
            yield from ((key.upper(), path) for key in item if key in METHODS)


_decode = msgspec.json.Decoder(Document).decode


def read(content: bytes, service: str) -> Document:
    """Read the document of a service. Raises `BadDocument`."""
    try:
        document = _decode(content)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise BadDocument(f"the document of {service} cannot be read: {fault}") from fault
    if document.origin.service != service:
        raise BadDocument(f"an instance of {service} serves the document of {document.origin.service}")
    return document
