"""The page of a job that changes books: how far it is, what it has done, what was refused, and its Undo."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from bookshelf.http.problem import Problem
from bookshelf.shelf.pages.imports import line_after
from bookshelf.shelf.pages.jobs import CHANGE, MERGE, UNDO, note_written
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.job_store import Job
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

#: Lines of a list on one page.
_SHOWN = 50
#: Reasons that an undo gives by a word.
_REASONS: Mapping[str, str] = {
    "blocked": _("You have changed the same since."),
    "changing": _("It was being changed at the same time."),
}


class LeftLine(msgspec.Struct, frozen=True, kw_only=True):
    """A book or a change that a job has left as it was."""

    address: str
    title: str
    reason: str


class JobModel(Model):
    """One job: its report once it has ended, the lines that it has left, and the id for its Undo."""

    job: Job
    address: str
    changed: int
    unchanged: int
    left: int
    continued: bool
    lines: tuple[LeftLine, ...]
    next: str | None
    correlation: str


async def show_job(request: PageRequest) -> Page:
    """Show a job: its progress, or its report. Raises `Problem`."""
    job = await _find_job(request)
    note_written(request, job)
    after = line_after(request)
    name = "left" if job.kind == UNDO else "refused"
    found = await request.jobs.lines(job.id, name, after, _SHOWN + 1)
    lines = [_line(content) for _, content in found[:_SHOWN]]
    following = target(f"/jobs/{job.id}", after=found[_SHOWN - 1][0]) if len(found) > _SHOWN else None
    return _page(job, lines, following)


async def _find_job(request: PageRequest) -> Job:
    for kind in (CHANGE, UNDO, MERGE):
        job = await request.jobs.get(request.path["id"], kind)
        if job is not None:
            return job
    raise Problem("no-route", "there is no such job")


def _line(content: Mapping[str, Any]) -> LeftLine:
    change, reason = content.get("change"), str(content["reason"])
    return LeftLine(
        address=f"/changes/{segment(change)}" if change else f"/books/{segment(content['id'])}",
        title=str(content.get("title", "")),
        reason=_REASONS.get(reason, reason),
    )


def _page(job: Job, lines: list[LeftLine], following: str | None = None) -> Page:
    report = job.report
    model = JobModel(
        job=job,
        address=f"/jobs/{job.id}",
        changed=report.get("changed", report.get("taken_back", 0)),
        unchanged=report.get("unchanged", 0),
        left=report.get("refused", report.get("left", 0)),
        continued=bool(report.get("continued")),
        lines=tuple(lines),
        next=following,
        correlation=job.parameters.get("own") or job.parameters["correlation"],
    )
    return Page("job.html", model, live=(f"job:{job.id}",))


def _examples() -> Mapping[str, Page]:
    made = datetime(2026, 1, 31, 19, 30, tzinfo=UTC)
    plain = Job(id="a1", kind=CHANGE, made=made, parameters={"correlation": "a1"}, state="done")
    undo = msgspec.structs.replace(plain, kind=UNDO, parameters={"correlation": "a1", "own": "undo-a1"})
    book = {"id": "dune", "title": "Dune", "reason": "a book has up to 200 tags; remove some"}
    long = {**book, "title": "The Life and Adventures of " * 20}
    change = {"change": "change-1", "reason": "blocked"}
    some = {"changed": 309, "unchanged": 12, "refused": 3, "continued": True}
    return {
        "usual": _page(msgspec.structs.replace(plain, report=some), [_line(book)]),
        "running": _page(msgspec.structs.replace(plain, state="running", done=120, total=312), []),
        "empty": _page(msgspec.structs.replace(plain, report={"unchanged": 4}), []),
        "long": _page(msgspec.structs.replace(plain, report=some), [_line(long)] * 3),
        "large": _page(
            msgspec.structs.replace(plain, report={"changed": 9_100, "refused": 900}),
            [_line({**book, "id": f"b{n}"}) for n in range(_SHOWN)],
            "/jobs/a1?after=49",
        ),
        "failed": _page(msgspec.structs.replace(plain, state="failed", fault="503"), []),
        "undo": _page(msgspec.structs.replace(undo, report={"taken_back": 700, "left": 1}), [_line(change)]),
        "undoing": _page(msgspec.structs.replace(undo, state="running", done=512, total=701), []),
    }


PAGES = (PageRoute("/jobs/{id}", get=show_job, title=_("Changing books"), examples=_examples),)
