"""Asks an instance what it serves."""

import asyncio
import re
from collections.abc import AsyncIterator

from bookshelf.discovery.port import Instance
from bookshelf.http.client.transport import Transport
from bookshelf.http.message import close_body, request
from gateway.routing.document import BadDocument, Document, read

#: The key of an instance's metadata that says where its document is; an instance without it has no routes.
OPENAPI = "openapi"
#: What it may say: a path, and nothing that leads elsewhere or means something to anyone on the way.
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,16}")
#: Seconds for the whole answer, and bytes of it.
_PATIENCE_S = 5.0
_MOST = 4 << 20
_LONGEST = 255
_OK = 200


async def fetch_document(transport: Transport, instance: Instance) -> Document:
    """Return the document of an instance's service.

    Raises `BadDocument`, `Unreachable`, `NoAnswer`, `BrokenBody`, TimeoutError.
    """
    path = instance.meta.get(OPENAPI, "")
    if len(path) > _LONGEST or _PATH.fullmatch(path) is None:
        raise BadDocument(f"{instance.id} says that its document is at {path[:_LONGEST]!r}, which is no path")
    asked = request("GET", path, Accept="application/json")
    async with asyncio.timeout(_PATIENCE_S):
        answer = await transport.send(instance.address, instance.port, asked)
        try:
            if answer.status != _OK:
                raise BadDocument(f"{instance.id} answers {path} with {answer.status}")
            return read(await _whole(answer.body), instance)
        finally:
            await close_body(answer.body)


async def _whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    if isinstance(body, bytes):
        return body
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > _MOST:
            raise BadDocument(f"the document has more than {_MOST} bytes")
    return bytes(content)
