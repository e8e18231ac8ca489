"""The pages of imports: choose a file, preview it, run the import, read its report, take it back."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.cqrs.phrases import Phrase
from bookshelf.http.multipart import FormLimits, UploadedFile
from bookshelf.http.problem import Problem
from bookshelf.shelf.limits import FILE_MAX
from bookshelf.shelf.pages.covers import generate_cover
from bookshelf.shelf.pages.field_labels import difference_label
from bookshelf.shelf.pages.import_fields import FIELDS, PROGRAM_FIELDS
from bookshelf.shelf.pages.import_report import (
    ImportChoices,
    ImportCounts,
    ImportResult,
    RefusedLine,
)
from bookshelf.shelf.pages.jobs import IMPORT, IMPORT_PREFIX, UNDO, run_undo, undo_id
from bookshelf.site.api_adapters import FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.job_store import Job
from bookshelf.site.page import Form, Model, Page, Redirect, _
from bookshelf.site.page_request import PageRequest

#: Seconds that the answer to an uploaded file waits for its preview, and to a started job for its end.
_PREVIEW_S, _SHORT_S = 0.8, 0.5
#: Lines of a list on the page of an import.
_SHOWN = 10
_IMPORTS_SHOWN = 20
#: Digits of the number of a line.
_DIGITS = 9
FILES = FormLimits(files=1, file_bytes=FILE_MAX, field_bytes=8 << 20)
#: Bytes of the form with the file.
BODY_BYTES = FILE_MAX + (9 << 20)


class UploadForm(Form):
    """A file, or text in its place."""

    file: UploadedFile | None = None
    text: str = ""


class EarlierImport(msgspec.Struct, frozen=True, kw_only=True):
    """An import among all, and the job that has taken it back, if one has."""

    job: Job
    undo: Job | None = None


class UploadModel(Model):
    """The earlier imports."""

    imports: tuple[EarlierImport, ...]


async def show_upload(request: PageRequest) -> Page:
    """Show how a file is brought, and the earlier imports."""
    jobs = await request.jobs.all()
    undone = {job.id: job for job in jobs if job.kind == UNDO and job.report.get("taken_back")}
    imports = [job for job in jobs if job.kind == IMPORT and not job.draft][:_IMPORTS_SHOWN]
    return upload_page([EarlierImport(job=job, undo=undone.get(_undo_id(job))) for job in imports])


def upload_page(imports: Sequence[EarlierImport]) -> Page:
    """Return the page where a file is brought."""
    live = [f"job:{each.job.id}" for each in imports]
    live += [f"job:{_undo_id(each.job)}" for each in imports]
    return Page("import.html", UploadModel(imports=tuple(imports)), form=UploadForm(), live=tuple(live))


async def upload(request: PageRequest, form: UploadForm) -> Redirect:
    """Keep the file and preview it."""
    if form.file is None and not form.text.strip():
        raise FormRefused(FieldFault("file", request.translate(_("Choose a file, or paste its text."))))
    job_id = request.api.key
    if await request.jobs.get(job_id, IMPORT) is None:
        parameters = ImportChoices(
            today=request.today.isoformat(), correlation=f"{IMPORT_PREFIX}{job_id}", encoding=""
        )
        await request.jobs.start(
            IMPORT,
            msgspec.to_builtins(parameters),
            job_id=job_id,
            file=form.text.encode() if form.file is None else form.file.path,
            name=request.translate(_("Pasted text")) if form.file is None else form.file.name,
            draft=True,
        )
        await request.jobs.wait(job_id, _PREVIEW_S)
    return Redirect(f"/import/{job_id}")


class ImportForm(Form):
    """The choices for an import, and whether it is previewed again or carried out."""

    do: Literal["preview", "import"] = "preview"
    encoding: str = ""
    dates: str = ""
    repair: bool = False
    prefer: Literal["shelf", "file"] = "shelf"
    removed: Literal["", "restore", "skip"] = ""
    column: tuple[str, ...] = ()
    field: tuple[str, ...] = ()


class DifferenceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the file that differs from the shelf's, as texts."""

    line: int
    book: str
    field: Phrase | str
    shelf: str
    file: str
    taken: bool


class WarningLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was left out or changed of a line."""

    line: int
    reason: Phrase | str


class RefusedForm(msgspec.Struct, frozen=True, kw_only=True):
    """A refused line with its cells to correct, each with the name of its column, empty for a whole line."""

    number: int
    line: RefusedLine
    cells: tuple[tuple[str, str], ...]


class ImportModel(Model):
    """One import: its job, its report once there is one, the first lines of its lists, and its undo."""

    job: Job
    preview: bool
    result: ImportResult | None
    new: int
    known: int
    imported: int
    covers: tuple[GeneratedCover, ...]
    fields: tuple[tuple[str, str], ...]
    others: Mapping[str, str]
    refused: tuple[RefusedForm, ...]
    more_refused: str | None
    differences: tuple[DifferenceLine, ...]
    warnings: tuple[WarningLine, ...]
    undo: Job | None
    undoing: bool


async def import_job(request: PageRequest) -> Job:
    """Return the job that the address names. Raises `Problem`."""
    job = await request.jobs.get(request.path["id"], IMPORT)
    if job is None:
        raise Problem("no-route", "there is no such import")
    return job


def line_after(request: PageRequest) -> int:
    """Return the number of the line that a page of a list begins after."""
    text = request.parameters.get("after", ("",))[0]
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else -1


async def show_import(request: PageRequest) -> Page:
    """Show an import: its preview, its progress, or its report."""
    job = await import_job(request)
    after = line_after(request)
    jobs = request.jobs
    refused = await jobs.lines(job.id, "refused", after, _SHOWN + 1)
    differences = await jobs.lines(job.id, "differences", limit=_SHOWN)
    warnings = await jobs.lines(job.id, "warnings", limit=_SHOWN)
    model = model_of(
        job,
        refused=[(number, msgspec.convert(line, RefusedLine)) for number, line in refused],
        differences=[difference_line(line) for _, line in differences],
        warnings=[msgspec.convert(line, WarningLine) for _, line in warnings],
        undo=await jobs.get(_undo_id(job), UNDO),
    )
    return page_of(model)


def page_of(model: ImportModel) -> Page:
    """Return the page of an import."""
    choices = msgspec.convert(model.job.parameters, ImportChoices)
    dates = {None: "", True: "day-first", False: "month-first"}[choices.day_first]
    exact = model.result is not None and model.result.exact
    restores = exact if choices.restore is None else choices.restore
    form = ImportForm(
        encoding=choices.encoding,
        dates=dates,
        repair=choices.repair_encoding,
        prefer="file" if choices.prefer_file else "shelf",
        removed="restore" if restores else "skip",
    )
    return Page("import_job.html", model, title=model.job.name, form=form, live=(f"job:{model.job.id}",))


def model_of(
    job: Job,
    *,
    refused: list[tuple[int, RefusedLine]],
    differences: list[DifferenceLine],
    warnings: list[WarningLine],
    undo: Job | None,
) -> ImportModel:
    """Return what the page of an import shows."""
    choices = msgspec.convert(job.parameters, ImportChoices)
    result = msgspec.convert(job.report, ImportResult) if job.report else None
    if result is not None:  # what is recognised comes first
        result.columns = tuple(
            sorted(result.columns, key=lambda column: ("extra", "ignored").count(column.field))
        )
    counts = result.counts if result else ImportCounts()
    shown = refused[:_SHOWN]
    return ImportModel(
        job=job,
        preview=choices.preview,
        result=result,
        new=counts.added,
        known=counts.unchanged + counts.updated,
        imported=counts.added + counts.updated + counts.restored,
        covers=tuple(_covers(result)),
        fields=tuple(FIELDS.items()),
        others=PROGRAM_FIELDS,
        refused=tuple(refused_form(number, line, result) for number, line in shown),
        more_refused=target(f"/import/{job.id}", after=shown[-1][0]) if len(refused) > _SHOWN else None,
        differences=tuple(differences),
        warnings=tuple(warnings),
        undo=undo,
        undoing=undo is not None and undo.is_running,
    )


def _covers(result: ImportResult | None) -> list[GeneratedCover]:
    books = result.books if result else ()
    return [
        generate_cover({"id": str(place), "title": title, "author": author})
        for place, (title, author) in enumerate(books)
    ]


def refused_form(number: int, line: RefusedLine, result: ImportResult | None) -> RefusedForm:
    """Return a refused line with the names of its columns."""
    header = result.header if result else ()
    if header and len(line.cells) != 1:
        cells = [*line.cells, *("" for _ in header[len(line.cells) :])]
        named = tuple(zip((*header, *("" for _ in cells[len(header) :])), cells, strict=True))
    else:
        named = (("", line.cells[0] if line.cells else ""),)
    return RefusedForm(number=number, line=line, cells=named)


def difference_line(content: Mapping[str, object]) -> DifferenceLine:
    """Return a difference as it is shown."""
    texts = {name: _text(content.get(name)) for name in ("shelf", "file")}
    found = msgspec.convert({**content, **texts}, DifferenceLine)
    return msgspec.structs.replace(found, field=difference_label(str(content["field"])))


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or "\N{EN DASH}"
    return msgspec.json.encode(value).decode()


async def run_import(request: PageRequest, form: ImportForm) -> Redirect:
    """Preview the file again with other choices, or import it."""
    job = await import_job(request)
    before = msgspec.convert(job.parameters, ImportChoices)
    if job.is_running or not before.preview:
        return Redirect(f"/import/{job.id}")
    result = msgspec.convert(job.report, ImportResult) if job.report else None
    found = {column.name: column.field for column in result.columns} if result else {}
    chosen = {
        name: field
        for name, field in zip(form.column, form.field, strict=False)
        if field in FIELDS and (name in before.columns or field != found.get(name))
    }
    choices = msgspec.structs.replace(
        before,
        preview=form.do == "preview",
        encoding=form.encoding.strip(),
        day_first={"day-first": True, "month-first": False}.get(form.dates),
        repair_encoding=form.repair,
        prefer_file=form.prefer == "file",
        restore={"restore": True, "skip": False}.get(form.removed, before.restore),
        columns={**before.columns, **chosen},
    )
    await request.jobs.again(job, msgspec.to_builtins(choices), draft=choices.preview)
    await request.jobs.wait(job.id, _PREVIEW_S if choices.preview else _SHORT_S)
    return Redirect(f"/import/{job.id}")


def _undo_id(job: Job) -> str:
    return undo_id(msgspec.convert(job.parameters, ImportChoices).correlation)


async def show_undo(request: PageRequest) -> Redirect:
    """Lead to the import: its report has the button."""
    return Redirect(f"/import/{segment(request.path['id'])}")


async def undo_import(request: PageRequest, _form: None) -> Redirect:
    """Take back all that an import has done."""
    job = await import_job(request)
    choices = msgspec.convert(job.parameters, ImportChoices)
    await run_undo(request, choices.correlation, kept=True)
    return Redirect(f"/import/{job.id}")
