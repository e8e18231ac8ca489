"""The jobs of the reader's site: import, undo of many changes, change of many books, merge of two."""

from collections.abc import Mapping
from functools import wraps
from hashlib import blake2b
from typing import Any

from bookshelf.site.job_store import Job
from bookshelf.site.jobs import JobFault, JobKind, JobRun
from bookshelf.site.page import Redirect
from bookshelf.site.page_request import PageRequest

IMPORT, UNDO, CHANGE, MERGE = "import", "undo", "change", "merge"
#: Seconds that the answer to a form waits for the end of its job, before it shows the progress.
SHORT_S = 1.0
#: What the correlation ids of imports begin with: the shelf then knows that a value came from a file.
IMPORT_PREFIX = "import-"


def _of_shelf(job: JobKind) -> JobKind:
    """Return a job that ends with the shelf's reason if the shelf answers a query with a problem."""

    @wraps(job)
    async def run_of_shelf(run: JobRun) -> dict[str, Any]:
        from bookshelf.shelf.library_files.shelf_copy import ShelfFault  # noqa: PLC0415 (see below)

        try:
            return await job(run)
        except ShelfFault as fault:
            raise JobFault(str(fault)) from fault

    return run_of_shelf


# What reads files is loaded only once a job needs it: services of other processes never do.
@_of_shelf
async def _import(run: JobRun) -> dict[str, Any]:
    from bookshelf.shelf.pages.import_job import import_file  # noqa: PLC0415 (see above)

    return await import_file(run)


@_of_shelf
async def _undo(run: JobRun) -> dict[str, Any]:
    from bookshelf.shelf.pages.undo_job import undo_all  # noqa: PLC0415 (see above)

    return await undo_all(run)


@_of_shelf
async def _change(run: JobRun) -> dict[str, Any]:
    from bookshelf.shelf.pages.change_job import change_books  # noqa: PLC0415 (see above)

    return await change_books(run)


@_of_shelf
async def _merge(run: JobRun) -> dict[str, Any]:
    from bookshelf.shelf.pages.merge_job import merge_books  # noqa: PLC0415 (see above)

    return await merge_books(run)


JOBS: Mapping[str, JobKind] = {IMPORT: _import, UNDO: _undo, CHANGE: _change, MERGE: _merge}


async def run_job(request: PageRequest, kind: str, parameters: dict[str, Any], *, name: str = "") -> Job:
    """Run the job of a form, for a second at the most; return it as it is then.

    The same form sent twice is one job. What it has written is shown by the next page. Raises `Problem`.
    """
    job_id = request.api.key
    if await request.jobs.get(job_id, kind) is None:
        await request.jobs.start(kind, parameters, job_id=job_id, name=name, draft=True)
    return await _ended(request, job_id, kind)


async def _ended(request: PageRequest, job_id: str, kind: str) -> Job:
    await request.jobs.wait(job_id, SHORT_S)
    job = await request.jobs.get(job_id, kind)
    assert job is not None  # noqa: S101 (begun before)
    note_written(request, job)
    return job


def note_written(request: PageRequest, job: Job) -> None:
    """Let the browser's next page show what a job has written."""
    request.api.written += [text for text in job.report.get("positions", "").split(", ") if text]


def job_redirect(job: Job, address: str, notice: str) -> Redirect:
    """Return to a page with a notice and Undo; to the page of the job if there is more to show."""
    report = job.report
    if job.state == "done" and not report.get("refused") and not report.get("left"):
        correlation = job.parameters.get("own") or job.parameters["correlation"]
        return Redirect(address, notice=notice, correlation=correlation if _has_done(report) else None)
    return Redirect(f"/jobs/{job.id}")


def _has_done(report: Mapping[str, Any]) -> bool:
    return bool(report.get("changed") or report.get("taken_back"))


def undo_id(correlation: str) -> str:
    """Return the id of the job that takes back all changes with a correlation id."""
    digest = blake2b(correlation.encode(), digest_size=12, person=b"undo").hexdigest()
    return f"undo-{digest}"


async def run_undo(request: PageRequest, correlation: str, *, kept: bool = False) -> Job:
    """Take back all changes with a correlation id, for a second at the most; return the job as it is then.

    `kept`: the job is never removed, so that its import shows always that it was taken back.
    """
    job_id = undo_id(correlation)
    known = await request.jobs.get(job_id, UNDO)
    parameters = {"correlation": correlation, "own": job_id}
    if known is None:
        await request.jobs.start(UNDO, parameters, job_id=job_id, draft=not kept)
    elif not known.is_running:
        await request.jobs.again(known, parameters, draft=not kept)
    return await _ended(request, job_id, UNDO)
