"""Documents of services, as unit tests of routes need them."""

import msgspec
from support.upstream import Json, openapi_document

from bookshelf.discovery.port import Instance
from gateway.routing.document import Document, read


def at(name: str, *tags: str, service: str = "s", **meta: str) -> Instance:
    """Return an instance."""
    return Instance(id=name, service=service, tags=tags, address="127.0.0.1", port=1, meta=meta)


def understood(given: Json, instance: Instance | None = None) -> Document:
    """Return a document as it is read, of an instance of the service that it names."""
    origin = given.get("x-bookshelf", {"service": "s"})
    return read(msgspec.json.encode(given), instance or at("i", service=origin["service"]))


def declared(service: str, tags: tuple[str, ...], *routes: str) -> Document:
    """Return the document of a service with such routes: "GET /books"."""
    return understood(openapi_document(service, tags, *routes))
