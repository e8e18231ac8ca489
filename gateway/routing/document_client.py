"""Fetches the OpenAPI document of an instance."""

import asyncio
import re

from bookshelf.discovery.port import Instance
from bookshelf.http.client.transport import Transport
from bookshelf.http.message import TooLarge, read_response, request
from gateway.routing.document import BadDocument, Document, read

#: The key of an instance's metadata with the path of its document; an instance without it has no routes.
OPENAPI = "openapi"
#: Accepted paths: without dot segments, escapes, queries, or anything that a proxy could interpret.
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,16}")
#: Seconds for the whole response, and its most bytes.
_PATIENCE_S = 5.0
_MOST = 4 << 20
_LONGEST = 255
_OK = 200


async def fetch_document(transport: Transport, instance: Instance) -> Document:
    """Return the document that an instance serves.

    Raises `BadDocument`, `Unreachable`, `NoResponse`, `BrokenBody`, TimeoutError.
    """
    path = instance.meta.get(OPENAPI, "")
    if len(path) > _LONGEST or _PATH.fullmatch(path) is None:
        raise BadDocument(f"{instance.id} has the document path {path[:_LONGEST]!r}, which is not accepted")
    asked = request("GET", path, Accept="application/json")
    try:
        async with asyncio.timeout(_PATIENCE_S):
            answer = await transport.send(instance.address, instance.port, asked)
            content = await read_response(answer, _MOST)
    except TooLarge as fault:
        raise BadDocument(f"the document has more than {_MOST} bytes") from fault
    if answer.status != _OK:
        raise BadDocument(f"{instance.id} answers GET {path} with status {answer.status}")
    return read(content, instance)
