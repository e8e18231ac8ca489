"""Asks an instance what it serves."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.discovery.port import Instance
from bookshelf.runtime.http.message import request
from bookshelf.runtime.http.transport import Transport
from gateway.routes.document import BadDocument, Document, read

#: Seconds for the whole answer, and bytes of it.
_PATIENCE_S = 5.0
_MOST = 4 << 20
_OK = 200


async def fetch(transport: Transport, instance: Instance) -> Document:
    """Return the document of an instance's service.

    Raises `BadDocument`, `Unreachable`, `NoAnswer`, `BrokenBody`, TimeoutError.
    """
    asked = request("GET", "/openapi.json", Accept="application/json")
    async with asyncio.timeout(_PATIENCE_S):
        answer = await transport.send(instance.address, instance.port, asked)
        content = await _whole(answer.body)
    if answer.status != _OK:
        raise BadDocument(f"{instance.id} answers /openapi.json with {answer.status}")
    return read(content, instance.service)


async def _whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    if isinstance(body, bytes):
        return body
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > _MOST:
            raise BadDocument(f"the document has more than {_MOST} bytes")
    return bytes(content)
