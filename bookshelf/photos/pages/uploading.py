"""Publishing a photo: a form with its file, which is handed to the API as it is."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from msgspec import Meta

from bookshelf.http.multipart import FormLimits, UploadedFile
from bookshelf.photos.pages.one_photo import page_path
from bookshelf.site.api_adapters import ApiProblem, FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest, Submission

UPLOAD = "/gallery/upload"
NOTICES = {"published": _("Your photo is published.")}
#: The bytes of the form around a file; the seconds that a photo may take once it has arrived, and in the API.
_AROUND = 256 << 10
_DEADLINE_S, _UPLOAD_S = 600.0, 590.0
#: Files that are in memory at once, on their way to the API.
_AT_ONCE = 4
_TOO_LARGE, _NO_PICTURE, _INVALID = 413, 415, 422
_MALFORMED = 400
_KEY_REUSED = "key-reused"
_UNREADABLE = _("This picture cannot be read. It is damaged, or larger than what can be shown.")
_NOT_SHOWN = _("This is no picture that can be shown: a JPEG, PNG, WebP or GIF.")
_LARGE = _("This picture is larger than %(size)s.")
_FILE_FAULTS = {_TOO_LARGE: _LARGE, _NO_PICTURE: _NOT_SHOWN, _INVALID: _UNREADABLE, _MALFORMED: _UNREADABLE}
#: The fields of the API that the form has as inputs.
_INPUTS = ("title", "description", "credit")


class PhotoUploadForm(Form):
    """A photo: its file, its title, what it shows for people that cannot see it, and whose it is."""

    file: UploadedFile | None = None
    title: Annotated[str, Meta(max_length=200)] = ""
    description: Annotated[str, Meta(max_length=2000)] = ""
    credit: Annotated[str, Meta(max_length=200)] = ""


class PhotoUploadModel(Model):
    """The most bytes of a file, and how they are written."""

    most: int
    size: str


async def show_upload(most: int, _request: PageRequest) -> Page:
    """Ask for a photo of up to `most` bytes."""
    return _page(most)


def _page(most: int, sent: Submission | None = None) -> Page:
    model = PhotoUploadModel(most=most, size=size_text(most))
    return Page("upload.html", model, sent=sent, status=200 if sent is None else 422)


def size_text(most: int) -> str:
    """Return a limit of bytes in words: the whole megabytes, or kilobytes, in it."""
    return f"{most >> 20} MB" if most >= 1 << 20 else f"{most >> 10} kB"


async def upload(
    most: int, slots: asyncio.Semaphore, request: PageRequest, form: PhotoUploadForm
) -> Redirect:
    """Publish a photo of up to `most` bytes, as soon as one of the slots is free.

    Raises `ApiProblem`, `FormRefused`.
    """
    faults = []
    if form.file is None:
        faults.append(FieldFault("file", request.translate(_("Choose a picture."))))
    if not form.title.strip():
        faults.append(FieldFault("title", request.translate(_("Write a title."))))
    if form.file is None or faults:
        raise FormRefused(*faults)
    texts = {"title": form.title, "description": form.description, "credit": form.credit}
    fields = {name: text for name, text in texts.items() if text}
    async with slots:
        body, media_type = await asyncio.to_thread(multipart_body, fields, form.file.path)
        try:
            answer = await request.api.command(
                "POST", "/photos", body, headers={"Content-Type": media_type}, timeout_s=_UPLOAD_S
            )
        except ApiProblem as problem:
            raise _explained(request, problem, most) from None
    return Redirect(page_path(str(answer.body["id"])), notice="published")


def multipart_body(fields: Mapping[str, str], path: Path) -> tuple[bytes, str]:
    """Return a form with texts and the file of a path as a body, and its media type."""
    boundary = f"photo-{uuid4().hex}"

    def head(named: str) -> bytes:
        return f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode()

    texts = [head(f'name="{name}"') + text.encode() + b"\r\n" for name, text in fields.items()]
    file = (head('name="file"; filename="photo"'), path.read_bytes(), f"\r\n--{boundary}--\r\n".encode())
    return b"".join((*texts, *file)), f"multipart/form-data; boundary={boundary}"


def _explained(request: PageRequest, problem: ApiProblem, most: int) -> Exception:
    """Return what is raised for a refusal: the fault at its input in the reader's words, else the problem."""
    faults = [
        FieldFault(one.field, request.translate(_("Only letters, digits and usual signs; not too long.")))
        for one in problem.faults
        if one.field in _INPUTS
    ]
    if not faults and problem.answer.status in _FILE_FAULTS and problem.kind != _KEY_REUSED:
        text = request.translate(_FILE_FAULTS[problem.answer.status])
        faults = [FieldFault("file", text % {"size": size_text(most)})]
    return FormRefused(*faults) if faults else problem


def _failed(most: int) -> Page:
    faults = (
        FieldFault("file", "This picture cannot be read. It is damaged, or larger than what can be shown."),
        FieldFault("title", "Write a title."),
    )
    typed = {"description": ("A long beach at low tide " * 30,), "credit": ("Ann Example",)}
    return _page(most, Submission(values=typed, faults=faults, kind="invalid"))


def upload_pages(most: int) -> tuple[PageRoute, ...]:
    """Return the page that publishes photos of up to `most` bytes."""
    return (
        PageRoute(
            UPLOAD,
            get=partial(show_upload, most),
            post=partial(upload, most, asyncio.Semaphore(_AT_ONCE)),
            form=PhotoUploadForm,
            title=_("Publish photos"),
            section=UPLOAD,
            most=most + _AROUND,
            files=FormLimits(file_bytes=most),
            examples=lambda: {"usual": _page(most), "failed": _failed(most)},
            deadline_s=_DEADLINE_S,
        ),
    )
