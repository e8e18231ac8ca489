"""Takes in a picture, as a body of its own or in a form. It is written again: nothing else of it is kept."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from bookshelf.config import FileSettings, load
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.files.file import FILE, StoreFile
from bookshelf.files.handlers.renditions import LIMITS, NAMESPACE, rendition_names
from bookshelf.http.message import Request, Response, TooLarge
from bookshelf.http.multipart import FormLimits, UploadedFile, is_multipart, read_multipart, read_stream
from bookshelf.http.problem import Fault, Problem
from bookshelf.media.pictures import PICTURE_TYPE, convert_upload, put_picture

WRITE_FILES = ("files:write",)
#: The field of a form that has the file, and the bytes of the form around it.
_FIELD = "file"
_AROUND = 256 << 10
#: Seconds in which a picture that has arrived is stored, or refused.
_DEADLINE_S = 120.0
_encode = msgspec.json.Encoder().encode


class ShownFile(msgspec.Struct, frozen=True):
    """A file: id, media type, bytes, and pixels."""

    id: str
    type: str
    bytes: int
    width: int
    height: int


async def upload_file(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Store a picture, and answer with its id. Raises `Problem`, `Refused`, `TooLarge`, `BrokenBody`."""
    async with _received(request, ports) as file:
        made = await convert_upload(file.path, ports.pictures, LIMITS)
    stored = await put_picture(made, NAMESPACE, ports.blobs)
    about = StoreFile(type=PICTURE_TYPE, bytes=stored.size, width=stored.width, height=stored.height)
    await ports.ask(FILE, stored.digest, about, actor=context.caller.actor)
    found = [await ports.blobs.stat(name) for name in rendition_names(stored.digest)]
    if None in found:  # somebody has deleted the same picture since it was put
        await put_picture(made, NAMESPACE, ports.blobs)
    shown = ShownFile(stored.digest, about.type, about.bytes, about.width, about.height)
    headers = {
        "Content-Type": "application/json",
        "Location": f"/files/{stored.digest}",
        "Cache-Control": "no-store",
    }
    return Response(201, headers, _encode(shown))


@asynccontextmanager
async def _received(request: Request, ports: HandlerPorts) -> AsyncIterator[UploadedFile]:
    """Receive the file of a request; it is kept until the block ends."""
    most, folder = load(FileSettings, os.environ).files_most, ports.blobs.unfinished
    if not is_multipart(request):
        _check_length(request, most, most)
        async with read_stream(request, folder, most) as file:
            yield file
        return
    _check_length(request, most, most + _AROUND)
    async with read_multipart(request, folder, FormLimits(file_bytes=most)) as form:
        files = form.files.get(_FIELD)
        if not files:
            detail = f"the form needs a field {_FIELD} with a file"
            raise Problem("invalid", detail, Fault(detail, pointer=f"/{_FIELD}"))
        yield files[0]


def _check_length(request: Request, most: int, whole: int) -> None:
    """Refuse a body that names more bytes than are taken, before any of it is read. Raises `TooLarge`."""
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > whole:
        raise TooLarge(most)


UPLOAD = HandlerRoute(
    method="POST",
    path="/files",
    summary="Upload a picture",
    handler=upload_file,
    body_bytes=(1 << 30) + _AROUND,
    deadline_s=_DEADLINE_S,
    requires=WRITE_FILES,
)
