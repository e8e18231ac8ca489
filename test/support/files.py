"""The service files in this process, with its blobs in a folder; by socket too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import msgspec
from multidict import CIMultiDict
from support.shelf import DEADLINE_S, Shelf
from support.upstream import HOST

from bookshelf.cqrs.handler import Caller
from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import BytesBody, Request, read_response
from bookshelf.http.server import HttpServer
from bookshelf.media.folder import FolderBlobs
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

(FILES,) = (service for service in SERVICES if service.name == "files")
_MOST = 64 << 20


class FileAnswer:
    """An answer, read whole."""

    def __init__(self, status: int, headers: CIMultiDict[str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:  # noqa: ANN401 (whatever was answered)
        return msgspec.json.decode(self.body)


class Files:
    """One instance of the service."""

    def __init__(self, folder: Path, callers: Callers | None = None) -> None:
        self.folder = folder
        self.callers = callers
        self._shelf = Shelf(services=(), callers=callers)
        self.log = self._shelf.log
        infrastructure = replace(self._shelf.infrastructure, blobs=FolderBlobs(folder))
        self.host = ServiceHost(FILES, infrastructure, HOST, FILES.port)

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(DEADLINE_S):
            await self.host.start()
        return self

    async def __aexit__(self, *fault: object) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.host.stop()
            await self._shelf.close()

    async def send(
        self, method: str, target: str, content: bytes = b"", by: Caller | None = None, **headers: str
    ) -> FileAnswer:
        """Send a request, header names with underscores, for a caller if one is given."""
        named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
        made = Request(method, target, named, BytesBody(content))
        if by is not None and self.callers is not None:
            self.callers.sign(by, made)
        async with asyncio.timeout(DEADLINE_S):
            response = await self.host.api.handle(made)
            body = await read_response(response, _MOST)
        return FileAnswer(response.status, CIMultiDict(response.headers), body)

    async def upload(self, content: bytes, **headers: str) -> FileAnswer:
        """Upload a picture as a body of its own."""
        return await self.send("POST", "/files", content, None, **{"Content_Type": "image/png", **headers})

    def kept(self) -> list[str]:
        """Return the paths of all files that are stored, or that arrive."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    async def events(self) -> list[str]:
        """Return the types of all events."""
        found: list[str] = []
        for partition in range(self.log.partitions("files")):
            end = await self.log.end("files", partition)
            tail = await self.log.tail("files", partition, 0)
            while tail.position < end:
                records = await tail.take(end - tail.position)
                found += [msgspec.json.decode(record.value)["type"] for record in records]
            await tail.close()
        return found

    @asynccontextmanager
    async def listening(self, guard: ConnectionLimits) -> AsyncIterator[int]:
        """Serve a port until the block ends."""
        server = HttpServer(self.host.api, HOST, 0, guard=guard)
        await server.start()
        try:
            yield server.port
        finally:
            await server.stop(0.1)
