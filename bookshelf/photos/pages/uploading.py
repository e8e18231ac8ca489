"""Publishing a photo: a form with its file, which is handed to the API as it is."""

import asyncio
from collections.abc import Mapping
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
#: The most bytes of a file, those of the form around it, and the seconds that an upload may take.
FILE_BYTES = 20 << 20
_AROUND = 256 << 10
_UPLOAD_S = 120.0
_TOO_LARGE, _NO_PICTURE, _INVALID = 413, 415, 422
_MALFORMED = 400
_UNREADABLE = _("This picture cannot be read. It is damaged, or larger than what can be shown.")
_NOT_SHOWN = _("This is no picture that can be shown: a JPEG, PNG, WebP or GIF.")
_LARGE = _("This picture is larger than 20 MB.")
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
    """The most bytes of a file."""

    most: int


async def show_upload(_request: PageRequest) -> Page:
    """Ask for a photo."""
    return _page()


def _page(sent: Submission | None = None) -> Page:
    return Page(
        "upload.html", PhotoUploadModel(most=FILE_BYTES), sent=sent, status=200 if sent is None else 422
    )


async def upload(request: PageRequest, form: PhotoUploadForm) -> Redirect:
    """Publish a photo. Raises `ApiProblem`, `FormRefused`."""
    faults = []
    if form.file is None:
        faults.append(FieldFault("file", request.translate(_("Choose a picture."))))
    if not form.title.strip():
        faults.append(FieldFault("title", request.translate(_("Write a title."))))
    if form.file is None or faults:
        raise FormRefused(*faults)
    texts = {"title": form.title, "description": form.description, "credit": form.credit}
    content = await asyncio.to_thread(form.file.path.read_bytes)
    body, media_type = multipart_body({name: text for name, text in texts.items() if text}, content)
    try:
        answer = await request.api.command(
            "POST", "/photos", body, headers={"Content-Type": media_type}, timeout_s=_UPLOAD_S
        )
    except ApiProblem as problem:
        raise _explained(request, problem) from None
    return Redirect(page_path(str(answer.body["id"])), notice="published")


def multipart_body(fields: Mapping[str, str], content: bytes) -> tuple[bytes, str]:
    """Return a form with texts and one file as a body, and its media type."""
    boundary = f"photo-{uuid4().hex}"
    parts = [(f'name="{name}"', text.encode()) for name, text in fields.items()]
    parts.append(('name="file"; filename="photo"', content))
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + part + b"\r\n"
        for head, part in parts
    )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _explained(request: PageRequest, problem: ApiProblem) -> Exception:
    """Return what is raised for a refusal: the fault at its input in the reader's words, else the problem."""
    faults = [
        FieldFault(one.field, request.translate(_("Only letters, digits and usual signs; not too long.")))
        for one in problem.faults
        if one.field in _INPUTS
    ]
    if not faults and problem.answer.status in _FILE_FAULTS:
        faults = [FieldFault("file", request.translate(_FILE_FAULTS[problem.answer.status]))]
    return FormRefused(*faults) if faults else problem


def _failed() -> Page:
    faults = (
        FieldFault("file", "This picture cannot be read. It is damaged, or larger than what can be shown."),
        FieldFault("title", "Write a title."),
    )
    typed = {"description": ("A long beach at low tide " * 30,), "credit": ("Ann Example",)}
    return _page(Submission(values=typed, faults=faults, kind="invalid"))


PAGES = (
    PageRoute(
        UPLOAD,
        get=show_upload,
        post=upload,
        form=PhotoUploadForm,
        title=_("Publish photos"),
        section=UPLOAD,
        most=FILE_BYTES + _AROUND,
        files=FormLimits(file_bytes=FILE_BYTES),
        examples=lambda: {"usual": _page(), "failed": _failed()},
    ),
)
