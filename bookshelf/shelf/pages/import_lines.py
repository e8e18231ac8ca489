"""The pages of an import's lines: correct a refused one, all as a file, all differences and remarks."""

import msgspec

from bookshelf.http.problem import Problem
from bookshelf.shelf.limits import FILE_MAX
from bookshelf.shelf.pages.import_report import ImportCounts, ImportResult, RefusedLine
from bookshelf.shelf.pages.imports import (
    DifferenceLine,
    RefusedForm,
    WarningLine,
    difference_line,
    import_job,
    line_after,
    refused_form,
)
from bookshelf.site.api_adapters import FieldFault, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.job_store import Job
from bookshelf.site.jobs import JobFault
from bookshelf.site.page import Download, Form, Model, Page, Redirect, _
from bookshelf.site.page_request import PageRequest

#: Lines on a page, and digits of the number of a line.
_PAGE, _DIGITS = 100, 9


class LineModel(Model):
    """One refused line of an import, the next one that is not corrected, and the counts as they are then."""

    job: Job
    counts: ImportCounts
    refusal: RefusedForm
    next: int | None


class LineForm(Form):
    """The corrected cells of a line, in its order; those of other names are sent as `cell`."""


async def _refusal(request: PageRequest, job: Job) -> tuple[int, RefusedLine]:
    text = request.path["number"]
    number = int(text) if text.isdecimal() and len(text) <= _DIGITS else -1
    found = await request.jobs.lines(job.id, "refused", number - 1)
    if number < 0 or not found or found[0][0] != number:
        raise Problem("no-route", "there is no such line")
    return number, msgspec.convert(found[0][1], RefusedLine)


async def show_line(request: PageRequest) -> Page:
    """Show one refused line, to be corrected."""
    job = await import_job(request)
    number, line = await _refusal(request, job)
    following = await request.jobs.lines(job.id, "refused", number, _PAGE)
    after = next((place for place, content in following if not content.get("corrected")), None)
    result = msgspec.convert(job.report, ImportResult)
    refusal = refused_form(number, line, result)
    if request.submission is not None:
        typed = request.submission.values.get("cell", ())
        cells = tuple((name, text) for (name, _), text in zip(refusal.cells, typed, strict=False))
        refusal = msgspec.structs.replace(refusal, cells=cells or refusal.cells)
    model = LineModel(job=job, counts=result.counts, refusal=refusal, next=after)
    title = request.translate(_("Line %(number)s")) % {"number": line.line}
    return Page("import_line.html", model, title=title)


async def correct_line(request: PageRequest, _form: LineForm) -> Redirect:
    """Import a refused line with its corrected cells."""
    from bookshelf.shelf.pages.import_job import retry_line  # noqa: PLC0415 (see jobs.py)

    job = await import_job(request)
    number, line = await _refusal(request, job)
    assert request.submission is not None  # noqa: S101 (it is a form)
    cells = request.submission.values.get("cell", ())
    if not line.corrected:
        try:
            reason = await retry_line(request.jobs, job, number, cells)
        except JobFault as fault:
            raise FormRefused(FieldFault("cell", request.translate(fault.reason))) from fault
        if reason is not None:
            raise FormRefused(FieldFault("cell", request.translate(reason)))
    return Redirect(f"/import/{job.id}/lines/{number}", notice="line-imported")


async def download_refused(request: PageRequest) -> Download:
    """Return the refused lines as a file of the imported one's format."""
    from bookshelf.shelf.pages.import_job import refused_file  # noqa: PLC0415 (see jobs.py)

    job = await import_job(request)
    found = await request.jobs.lines(job.id, "refused", limit=FILE_MAX)
    lines = [msgspec.convert(content, RefusedLine) for _, content in found]
    name, body = await refused_file(
        request.jobs, job, [line for line in lines if not line.corrected], request.translate
    )
    kind = "text/csv; charset=utf-8" if name.endswith("csv") else "application/x-ndjson"
    return Download(body=body, media_type=kind, name=name)


class RemarksModel(Model):
    """All differences and warnings of an import, a page at a time."""

    job: Job
    differences: tuple[DifferenceLine, ...]
    warnings: tuple[WarningLine, ...]
    next: str | None


async def show_remarks(request: PageRequest) -> Page:
    """Show what differed, and what was left out or changed."""
    job = await import_job(request)
    after = line_after(request)
    differences = await request.jobs.lines(job.id, "differences", after, _PAGE)
    warnings = await request.jobs.lines(job.id, "warnings", after, _PAGE)
    is_more = max(len(differences), len(warnings)) == _PAGE
    model = RemarksModel(
        job=job,
        differences=tuple(difference_line(line) for _, line in differences),
        warnings=tuple(msgspec.convert(line, WarningLine) for _, line in warnings),
        next=target(f"/import/{job.id}/remarks", after=after + _PAGE) if is_more else None,
    )
    return Page("import_remarks.html", model)


NOTICES = {"line-imported": _("The line was imported.")}
