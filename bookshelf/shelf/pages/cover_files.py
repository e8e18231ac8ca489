"""The picture of a book's cover: uploaded, shown and removed; and the address that serves it."""

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from bookshelf.cqrs.handler import WRITE, HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.multipart import FormLimits, UploadedFile
from bookshelf.http.problem import Problem
from bookshelf.media.pictures import picture_response, restore_picture, store_picture
from bookshelf.media.port import BlobFault, BlobMissing
from bookshelf.shelf.limits import COVER_BYTES
from bookshelf.shelf.pages.readings import step_examples
from bookshelf.shelf.pages.step import book_address, step_done, step_page
from bookshelf.site.api_adapters import FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {"cover-set": _("The cover is new."), "cover-removed": _("Removed the picture.")}
#: The namespace of the covers of the local reader, and how those of people with accounts begin.
_NAMESPACE = "covers"
#: The letters for the digits of an owner's digest: a namespace has letters only.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_LIMITS = FormLimits()
#: Bytes of the form around the file.
_AROUND = 256 << 10
#: Names of renditions: the largest is stored under the digest alone.
_LARGE, _SMALL = "-480.webp", "-240.webp"


class CoverForm(Form):
    """A picture, or `step` "remove"."""

    picture: UploadedFile | None = None
    step: str = ""


def covers_of(owner: str | None) -> str:
    """Return the namespace of an owner's covers: requests of anyone else find none of them."""
    if owner is None:
        return _NAMESPACE
    return _NAMESPACE + blake2b(owner.encode(), digest_size=13).hexdigest().translate(_LETTERS)


async def erase_covers(ports: HandlerPorts, accounts: Collection[str]) -> None:
    """Delete the covers of accounts. Those of the first admin are the local reader's, and stay."""
    for account in accounts:
        async for blob in ports.blobs.list(covers_of(account)):
            await ports.blobs.delete(blob.name)


async def show_cover(request: PageRequest) -> Page:
    """Ask for a picture of the cover."""
    return await step_page(request, "cover.html", CoverForm())


async def set_cover(request: PageRequest, form: CoverForm) -> Redirect:
    """Store a picture and set it as the cover; or remove it. Raises `FormRefused`, `Problem`."""
    path = f"{book_address(request)}/cover"
    if form.step == "remove":
        return step_done(request, "cover-removed", await request.api.delete(path))
    if form.picture is None:
        raise FormRefused(FieldFault("picture", request.translate(_("Choose a picture."))))
    try:
        stored = await store_picture(
            form.picture.path,
            covers_of(request.caller.owner),
            request.ports.pictures,
            request.ports.blobs,
            field="picture",
        )
    except Problem as problem:
        if problem.kind == "unavailable":
            raise
        detail = request.translate(_("This is no picture that can be shown: a JPEG, PNG, WebP or GIF."))
        raise FormRefused(FieldFault("picture", detail)) from None
    body = {"digest": stored.digest, "width": stored.width, "height": stored.height, "colour": stored.colour}
    return step_done(request, "cover-set", await request.api.put(path, body))


async def serve_cover(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Return a rendition of a cover of the caller. Raises `Problem`."""
    file = context.path["file"]
    name = file.removesuffix(_LARGE) if file.endswith(_LARGE) else file.removesuffix(".webp")
    caller = context.caller
    name = f"{covers_of(caller.owner)}/{name}"
    return await picture_response(request, ports.blobs, name, private=caller.account is not None)


async def restore_cover(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Store a cover of an export under the name that it had. Raises `Problem`."""
    name = f"{covers_of(context.caller.owner)}/{context.path['file'].removesuffix('.webp')}"
    await restore_picture(await request.body.read(COVER_BYTES), name, ports.pictures, ports.blobs)
    return Response(HTTPStatus.NO_CONTENT, {})


async def read_covers(request: PageRequest, books: Iterable[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return the small pictures of covers by the ids of their books; missing ones are left out."""
    images: dict[str, bytes] = {}
    namespace = covers_of(request.caller.owner)
    for book in books:
        if cover := book.get("cover"):
            try:
                _, pieces = await request.ports.blobs.open(f"{namespace}/{cover['digest']}-240")
                images[book["id"]] = b"".join([piece async for piece in pieces])
            except (BlobMissing, BlobFault, ValueError):
                continue
    return images


COVER_ROUTES = (
    HandlerRoute(path="/covers/{file}", summary="The picture of a cover", handler=serve_cover),
    HandlerRoute(
        method="PUT",
        requires=WRITE,
        path="/covers/{file}",
        summary="Stores the picture of a cover that was exported",
        handler=restore_cover,
        body_bytes=COVER_BYTES,
    ),
)
PAGES = (
    PageRoute(
        "/books/{id}/cover",
        get=show_cover,
        post=set_cover,
        form=CoverForm,
        title=_("Cover"),
        examples=lambda: step_examples("cover.html", CoverForm()),
        section="/books",
        most=_LIMITS.file_bytes + _AROUND,
        files=_LIMITS,
    ),
)
