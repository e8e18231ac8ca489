"""What a group of changes was: an import, a change of many books, sample books, or an undo."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bookshelf.shelf.pages.jobs import CHANGE, IMPORT, MERGE, UNDO
from bookshelf.shelf.pages.past import ShownChange
from bookshelf.shelf.pages.samples import is_sample
from bookshelf.site.job_store import Job
from bookshelf.site.page import _

#: What changes of many books were, by their action.
_ACTIONS: Mapping[str, str] = {
    "tag": _("Tag added"),
    "untag": _("Tag taken off"),
    "list": _("Put on the list"),
    "stars": _("Stars given"),
    "finished": _("Marked as finished"),
    "format": _("Format set"),
    "series": _("Series set"),
    "remove": _("Taken off the shelf"),
    "rename-tag": _("Tag renamed"),
    "rename-series": _("Series renamed"),
    "rename-author": _("Author renamed"),
}


class ChangeOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """What has made the changes of a group: its kind, the name of its file or value, its books or changes.

    `action` is what a change of many books was, in words.
    """

    kind: str = ""
    name: str = ""
    count: int = 0
    action: str = ""


def jobs_by_correlation(jobs: Iterable[Job]) -> dict[str, Job]:
    """Return the jobs by the correlation ids of their changes."""
    return {str(job.parameters.get("own") or job.parameters.get("correlation")): job for job in jobs}


def origin_of(
    changes: Sequence[ShownChange], jobs: Mapping[str, Job], *, complete: bool = True
) -> ChangeOrigin:
    """Return what the changes of a group were; without a kind if that is unknown, or not done yet.

    `complete`: the group has all of its changes, so that its books can be counted.
    """
    job = jobs.get(changes[0].correlation)
    if job is not None:
        return _of_job(job, jobs) if job.state == "done" else ChangeOrigin()
    books = {change.address.removeprefix("/books/") for change in changes if "/books/" in change.address}
    kinds = {event.kind for change in changes for event in change.events}
    if not complete or not books or changes[0].imported:
        return ChangeOrigin()
    if all(map(is_sample, books)) and kinds & {"book-added", "book-restored", "book-removed"}:
        kind = "samples-removed" if "book-removed" in kinds else "samples"
        return ChangeOrigin(kind=kind, count=len(books))
    return ChangeOrigin(kind="added", count=len(books)) if kinds == {"book-added"} else ChangeOrigin()


def _of_job(job: Job, jobs: Mapping[str, Job]) -> ChangeOrigin:
    report, parameters = job.report, job.parameters
    match job.kind:
        case kind if kind == IMPORT:
            counts = report.get("counts", {})
            count = sum(counts.get(name, 0) for name in ("added", "updated", "restored"))
            return ChangeOrigin(kind="import", name=job.name, count=count)
        case kind if kind == UNDO:
            undone = jobs.get(str(parameters["correlation"]))
            name = undone.name if undone is not None and undone.kind == IMPORT else ""
            return ChangeOrigin(kind="undo", name=name, count=report.get("taken_back", 0))
        case kind if kind == CHANGE:
            action = str(parameters["action"])
            name = str(parameters.get("value", "")) if action not in {"stars", "finished", "remove"} else ""
            return ChangeOrigin(
                kind="change", name=name, count=report.get("changed", 0), action=_ACTIONS.get(action, "")
            )
        case kind if kind == MERGE:
            return ChangeOrigin(kind="merge")
    return ChangeOrigin()
