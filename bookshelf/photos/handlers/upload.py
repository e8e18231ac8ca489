"""Takes in a photo: receives the file, has its images made, stores them, and publishes the photo.

A crash between any two steps leaves blobs at most that no photo names, which the sweep removes.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import msgspec

from bookshelf.config import PhotoSettings
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Request, Response, TooLarge
from bookshelf.http.multipart import FormLimits, MultipartForm, UploadedFile, read_multipart
from bookshelf.http.problem import Fault, Problem
from bookshelf.media.file_pieces import file_pieces
from bookshelf.media.port import (
    BlobFault,
    BlobStore,
    MadeImage,
    MadePhoto,
    NotStored,
    PhotoLimits,
    PictureRefused,
    PicturesBusy,
)
from bookshelf.photos.events import StoredImage
from bookshelf.photos.fields import UPLOAD_S, Credit, Description, Title
from bookshelf.photos.images import NAMESPACE
from bookshelf.photos.person import person_of
from bookshelf.photos.photo import PHOTO, AddPhoto
from bookshelf.photos.rates import PersonRates
from bookshelf.photos.routes import OwnFields, own_fields
from bookshelf.runtime.api.bodies import json_answer
from bookshelf.runtime.api.keyed import keyed, result_fields
from bookshelf.runtime.api.ownership import created
from bookshelf.runtime.decoding import Decoder

_FIELD = "file"
#: The parts of a form, and its bytes around the file.
_PARTS, _AROUND = 10, 256 << 10
#: The formats, as they are listed in a refusal.
_ACCEPT = "image/jpeg, image/png, image/webp, image/gif, image/avif"


class PhotoFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of a form with a photo, beside its file."""

    title: Title
    description: Description = ""
    credit: Credit = ""


class PhotoContent(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to an Idempotency-Key: the fields, and the digest of the file."""

    fields: PhotoFields
    digest: str


_FIELDS = Decoder(PhotoFields)


@dataclass(frozen=True)
class Uploads:
    """The handler of uploads, with the settings of photos."""

    settings: PhotoSettings
    rates: PersonRates = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count."""
        object.__setattr__(self, "rates", PersonRates(self.settings.photos_uploads_minute))

    async def add(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 201 with the photo's own fields. Raises `Problem`, `Refused`, `TooLarge`, `BrokenBody`."""
        self._check(request, context)
        limits = FormLimits(parts=_PARTS, file_bytes=self.settings.photos_bytes)
        async with read_multipart(request, ports.blobs.unfinished, limits) as form, _folder(ports) as into:
            fields, file = _fields(form), _file(form)
            made = await self._made(file, into, ports)
            await _put(made, into, ports.blobs)
            content = PhotoContent(fields=fields, digest=file.digest)
            asked = keyed(request, context, content, "photo-")
            photo = created(asked["command_id"] or ports.new_id())
            add = _command(fields, made, context)
            if (
                ports.now() - context.at
            ).total_seconds() > UPLOAD_S:  # a deletion of its owner looks no longer
                raise Problem("unavailable", "the photo took too long to arrive; try again")
            result = await ports.ask(PHOTO, photo, add, **asked)
            await _put(made, into, ports.blobs, missing_only=True)
        if result.state.details is None:
            raise Problem("gone", "the photo was removed")
        headers = {**result_fields(result), "Location": f"/photos/{photo}"}
        return json_answer(201, own_fields(photo, result.state), headers)

    def _check(self, request: Request, context: RequestContext) -> None:
        """Refuse what is too much before any of the body is read. Raises `Problem`, `TooLarge`."""
        most, length = self.settings.photos_bytes, request.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length) > most + _AROUND:
            raise TooLarge(most)
        wait_s = self.rates.wait_s(person_of(context.caller), context.at.timestamp())
        if wait_s:
            msg = f"{self.settings.photos_uploads_minute} photos a minute are accepted; try again later"
            raise Problem("too-many", msg, Retry_After=str(math.ceil(wait_s)))

    async def _made(self, file: UploadedFile, into: Path, ports: HandlerPorts) -> MadePhoto:
        limits = PhotoLimits(pixels=self.settings.photos_pixels)
        try:
            return await ports.pictures.make_photo(file.path, into, limits)
        except PictureRefused as refusal:
            raise _refusal(refusal) from None
        except PicturesBusy as fault:
            raise Problem("unavailable", str(fault)) from None
        except NotStored as fault:
            raise Problem("unavailable", "the photo cannot be stored right now; try again later") from fault


def _refusal(refusal: PictureRefused) -> Problem:
    fault = Fault(f"the file {refusal}", pointer=f"/{_FIELD}")
    if refusal.kind == "format":
        return Problem("media-type", fault.detail, fault, Accept=_ACCEPT)
    return Problem("unreadable" if refusal.kind == "unreadable" else "invalid", fault.detail, fault)


@asynccontextmanager
async def _folder(ports: HandlerPorts) -> AsyncIterator[Path]:
    """Make a folder for the images of one photo; it is deleted when the block ends."""
    try:
        folder = await asyncio.to_thread(_new_folder, ports.blobs.unfinished)
    except OSError as fault:
        raise BlobFault(fault.strerror or str(fault)) from fault
    try:
        yield folder
    finally:
        await asyncio.to_thread(rmtree, folder, ignore_errors=True)


def _new_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(mkdtemp(prefix="photo-", dir=parent))


def _fields(form: MultipartForm) -> PhotoFields:
    """Return the fields of a form. Raises `Problem`."""
    for name, texts in form.fields.items():
        if not name or len(texts) > 1 or name == _FIELD:
            detail = "is needed once, with a name; the file has a file name" if name else "a part has no name"
            raise _invalid(name, detail)
    given = {name: texts[0] for name, texts in form.fields.items()}
    fields: PhotoFields = _FIELDS.body(msgspec.json.encode(given))
    return fields


def _file(form: MultipartForm) -> UploadedFile:
    """Return the one file of a form. Raises `Problem`."""
    if set(form.files) - {_FIELD}:
        raise _invalid(next(iter(set(form.files) - {_FIELD})), "is no field for a file")
    files = form.files.get(_FIELD, ())
    if not files:
        raise _invalid(_FIELD, "is needed: the picture")
    if not files[0].size:
        raise _invalid(_FIELD, "is empty")
    return files[0]


def _invalid(name: str, detail: str) -> Problem:
    shown = name[:100].replace("~", "~0").replace("/", "~1")
    return Problem("invalid", f"{name[:100]} {detail}".strip(), Fault(detail, pointer=f"/{shown}"))


async def _put(made: MadePhoto, into: Path, blobs: BlobStore, *, missing_only: bool = False) -> None:
    """Store the images of a photo, or those that a sweep has deleted since. Raises `BlobFault`."""
    images: Mapping[str, MadeImage] = {image.digest: image for image in (*made.stills, made.master)}
    for digest, image in images.items():
        name = f"{NAMESPACE}/{digest}"
        if not missing_only or await blobs.stat(name) is None:
            await blobs.put(name, file_pieces(into / image.file))


def _command(fields: PhotoFields, made: MadePhoto, context: RequestContext) -> AddPhoto:
    return AddPhoto(
        owner=person_of(context.caller),
        title=fields.title,
        description=fields.description,
        credit=fields.credit,
        added=context.at,
        master=_stored(made.master),
        renditions=tuple(map(_stored, made.stills)),
        placeholder=msgspec.to_builtins(made.placeholder),
        animated=made.animated,
    )


def _stored(image: MadeImage) -> StoredImage:
    return StoredImage(
        digest=image.digest, width=image.width, height=image.height, bytes=image.bytes, type=image.type
    )


def upload_route(settings: PhotoSettings) -> HandlerRoute:
    """Return the route of uploads, for these settings."""
    return HandlerRoute(
        method="POST",
        path="/photos",
        summary="Publish a photo",
        handler=Uploads(settings).add,
        body_bytes=settings.photos_bytes + _AROUND,
        deadline_s=UPLOAD_S,
        requires=("write",),
        returns=OwnFields,
        status=201,
    )
