"""The service uploads in this process, with its blobs in a folder, and forms with photos."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Self

from multidict import CIMultiDict
from support.files import FileAnswer
from support.shelf import DEADLINE_S, Shelf
from support.upstream import HOST

from bookshelf.config import PhotoSettings
from bookshelf.cqrs.handler import Caller, HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import BytesBody, Request, Response, read_response
from bookshelf.media.folder import FolderBlobs
from bookshelf.media.port import BlobStore
from bookshelf.photos.handlers.sweeping import sweep_images
from bookshelf.photos.handlers.upload_service import with_uploads
from bookshelf.runtime.api.bodies import json_answer
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

(UPLOADS,) = (service for service in SERVICES if service.name == "uploads")
_MOST = 64 << 20
BOUNDARY = "photo-form"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    """Return one part of a form; with a file name it is a file."""
    named = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(content: bytes | None, **fields: str) -> bytes:
    """Return a form with a picture, and these fields."""
    texts = b"".join(part(name, text.encode()) for name, text in fields.items())
    file = b"" if content is None else part("file", content, "picture")
    return texts + file + f"--{BOUNDARY}--\r\n".encode()


async def _sweep(_request: Request, _context: RequestContext, ports: HandlerPorts) -> Response:
    return json_answer(200, await sweep_images(ports))


#: Sweeps at once, as the service does each day.
SWEEP = HandlerRoute(method="POST", path="/sweep", summary="Sweep", handler=_sweep, requires=None)


class PhotoUploads:
    """One instance of the service, by default with blobs in the folder; another can run on the same log."""

    def __init__(
        self,
        folder: Path,
        callers: Callers | None = None,
        settings: PhotoSettings | None = None,
        shelf: Shelf | None = None,
        blobs: BlobStore | None = None,
    ) -> None:
        self.folder = folder
        self.callers = callers
        self.blobs = blobs or FolderBlobs(folder)
        self._shelf = shelf or Shelf(services=(), callers=callers)
        self.log = self._shelf.log
        infrastructure = replace(self._shelf.infrastructure, blobs=self.blobs)
        service = with_uploads(UPLOADS, settings or PhotoSettings())
        service = replace(service, serves=(*service.serves, SWEEP))
        self.host = ServiceHost(service, infrastructure, HOST, UPLOADS.port)

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

    async def upload(
        self, content: bytes | None, by: Caller | None = None, key: str = "", **fields: str
    ) -> FileAnswer:
        """Upload a picture, by default under a title."""
        content_form = form(content, **{"title": "Low tide", **fields})
        if key:
            return await self.send(
                "POST", "/photos", content_form, by, Content_Type=FORM, Idempotency_Key=key
            )
        return await self.send("POST", "/photos", content_form, by, Content_Type=FORM)

    async def image(self, photo: str, size: str = "2048", after: str = "", **headers: str) -> FileAnswer:
        """Ask for the image of a photo, once the view has this position."""
        target = f"/photos/{photo}/image?size={size}"
        if after:
            return await self.send("GET", target, b"", None, Bookshelf_After=after, **headers)
        return await self.send("GET", target, b"", None, **headers)

    def kept(self) -> list[str]:
        """Return the paths of all blobs, and of what is arriving."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
