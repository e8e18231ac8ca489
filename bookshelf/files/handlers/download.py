"""Serves a stored picture and its smaller renditions, and deletes it."""

import re
from urllib.parse import parse_qsl

from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.files.file import FILE, DeleteFile
from bookshelf.files.handlers.renditions import SIZES, rendition_name, rendition_names
from bookshelf.files.handlers.upload import UPLOAD, WRITE_FILES
from bookshelf.http.message import BytesBody, Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.media.pictures import picture_response
from bookshelf.media.port import BlobMissing, BlobStore

_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


async def serve_file(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Return a picture, or with `size` a smaller rendition of it. Raises `Problem`, `NotFound`."""
    given = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True)).get("size")
    size = next((size for size in SIZES if given == str(size)), None)
    if given is not None and size is None:
        detail = f"must be one of {', '.join(map(str, SIZES))}"
        raise Problem("invalid", f"size {detail}", Fault(detail, parameter="size"))
    return await picture_response(request, ports.blobs, rendition_name(_file_id(context), size))


async def delete_file(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Delete a picture and its renditions. Raises `Problem`, `Refused`, `BlobFault`."""
    file_id = _file_id(context)
    await ports.ask(FILE, file_id, DeleteFile(), actor=context.caller.actor)
    taken = {name: await _take(ports.blobs, name) for name in rendition_names(file_id)}
    if (await ports.state(FILE, file_id)).stored:  # somebody has uploaded the same picture since
        for name, content in taken.items():
            if content is not None:
                await ports.blobs.put(name, BytesBody(content).stream())
    return Response(204, {"Cache-Control": "no-store"})


def _file_id(context: RequestContext) -> str:
    file_id = context.path["id"]
    if _ID.fullmatch(file_id) is None:
        raise NotFound("there is no such file")
    return file_id


async def _take(blobs: BlobStore, name: str) -> bytes | None:
    """Delete a blob; return what it was, None if there was none."""
    try:
        _, pieces = await blobs.open(name)
    except BlobMissing:
        return None
    content = b"".join([piece async for piece in pieces])
    await blobs.delete(name)
    return content


ROUTES = (
    UPLOAD,
    HandlerRoute(path="/files/{id}", summary="A picture", handler=serve_file, requires=None),
    HandlerRoute(
        method="DELETE",
        path="/files/{id}",
        summary="Delete a picture",
        handler=delete_file,
        requires=WRITE_FILES,
    ),
)
