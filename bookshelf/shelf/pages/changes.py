"""Everything that was done, newest first, with Undo; and what prevents an undo."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from bookshelf.shelf.pages.change_origin import ChangeOrigin, jobs_by_correlation, origin_of
from bookshelf.shelf.pages.field_labels import FIELD_LABELS
from bookshelf.shelf.pages.jobs import CHANGE, IMPORT, job_redirect, run_undo
from bookshelf.shelf.pages.past import ShownChange, ShownEvent, past_change, read_titles
from bookshelf.site.api_adapters import ApiProblem, segment, target
from bookshelf.site.job_store import Job
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {"undone": _("Taken back."), "undone-before": _("That was taken back already.")}
#: Changes on one page, and those that are shown as preventing an undo.
_LISTED, _PAGE = 50, 100
#: How often a change is read again because its book has changed since.
_TRIES = 5
_CHANGED = 412
_UNDOES = "Bookshelf-Undoes"


class ChangesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes: those of one book or list, or those with one correlation id; from a cursor on."""

    book: str = ""
    correlation: str = ""
    after: str = ""


class ChangeGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Changes that belong together, as those of an import; or one change without a correlation id."""

    changes: tuple[ShownChange, ...]
    correlation: str = ""
    origin: ChangeOrigin = ChangeOrigin()


class ChangesModel(Model):
    """A page of changes. `title` is that of the one book or list, if only its changes are shown.

    `running` are the jobs that are changing books now.
    """

    groups: tuple[ChangeGroup, ...]
    newest: str
    title: str
    alone: bool
    next: str | None
    labels: Mapping[str, str]
    running: tuple[Job, ...] = ()


class ChangeModel(Model):
    """One change and the later changes that must be taken back before it."""

    change: ShownChange
    blocking: tuple[ShownChange, ...]
    labels: Mapping[str, str]


class UndoForm(Form):
    """The change to take back, or the correlation id of several.

    `first`: the later changes that prevent it are taken back before it.
    """

    change: str = ""
    correlation: str = ""
    first: bool = False


async def show_changes(request: PageRequest) -> Page:
    """Show one page of the changes."""
    asked: ChangesQuery = request.query
    path = target(
        "/changes",
        book=asked.book,
        correlation=asked.correlation,
        limit=_LISTED,
        after=asked.after,
    )
    answer = await request.api.get(path)
    titles = await read_titles(request, answer.body, {})
    changes = [past_change(change, titles) for change in answer.body]
    alone = bool(asked.book or asked.correlation)
    following = None
    if answer.cursor is not None:
        following = target("/changes", book=asked.book, correlation=asked.correlation, after=answer.cursor)
    jobs = [] if request.running is None else await request.running.all()
    model = ChangesModel(
        groups=_named(
            _grouped(changes, joined=not asked.correlation),
            jobs_by_correlation(jobs),
            first=not asked.after,
            last=following is None,
        ),
        newest=changes[0].id if changes else "",
        title=changes[0].title if asked.book and changes else "",
        alone=alone,
        next=following,
        labels=FIELD_LABELS,
        running=() if alone else tuple(job for job in jobs if job.is_running and job.kind != IMPORT),
    )
    return Page("changes.html", model, live=("readings", "lists"))


def _grouped(changes: Sequence[ShownChange], *, joined: bool) -> tuple[ChangeGroup, ...]:
    """Return the changes in groups: neighbours with one correlation id are together."""
    groups: list[tuple[str, list[ShownChange]]] = []
    for change in changes:
        if joined and change.correlation and groups and groups[-1][0] == change.correlation:
            groups[-1][1].append(change)
        else:
            groups.append((change.correlation, [change]))
    return tuple(
        ChangeGroup(changes=tuple(found), correlation=name if len(found) > 1 else "")
        for name, found in groups
    )


def _named(
    groups: Sequence[ChangeGroup], jobs: Mapping[str, Job], *, first: bool, last: bool
) -> tuple[ChangeGroup, ...]:
    """Return the groups with what they were; the first and the last of a page may go on beyond it."""
    return tuple(
        msgspec.structs.replace(
            group,
            origin=origin_of(
                group.changes,
                jobs,
                complete=(first or place > 0) and (last or place < len(groups) - 1),
            ),
        )
        for place, group in enumerate(groups)
    )


async def show_change(request: PageRequest) -> Page:
    """Show one change, and what must be taken back before it."""
    found = (await request.api.get(f"/changes/{segment(request.path['id'])}")).body
    blocking = await _blocking(request, found)
    titles = await read_titles(request, [found, *blocking], {})
    model = ChangeModel(
        change=past_change(found, titles),
        blocking=tuple(past_change(change, titles) for change in blocking),
        labels=FIELD_LABELS,
    )
    return Page("change.html", model)


async def _blocking(request: PageRequest, change: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the later changes that prevent the undo of a change, newest first."""
    ids = list(reversed(change.get("blocked_by") or ()))
    answers = [await request.api.try_get(f"/changes/{segment(blocking)}") for blocking in ids[:_PAGE]]
    return [answer.body for answer in answers if answer is not None]


async def undo_change(request: PageRequest, form: UndoForm) -> Redirect:
    """Take a change back; and before it, if that is wanted, the later ones that prevent it."""
    if form.correlation:
        job = await run_undo(request, form.correlation)
        return job_redirect(job, request.back("/changes"), "undone")
    address = f"/changes/{segment(form.change)}"
    back = request.back("/changes")
    found = (await request.api.get(address)).body
    if form.first:
        for blocking in reversed(found.get("blocked_by") or ()):
            await take_back(request, blocking)
        found = (await request.api.get(address)).body
    if found.get("blocked_by"):
        return Redirect(address)
    change = await take_back(request, form.change)
    return Redirect(back, notice="undone-before" if change is None else "undone", change=change)


async def take_back(request: PageRequest, change: str) -> str | None:
    """Take one change back; return the id of the change that did it, None if nothing was left to do.

    The requests are sent with the version that they were computed for; after a change of the book in between
    they are computed again. Raises `ApiProblem`.
    """
    for attempt in range(_TRIES):
        found = (await request.api.get(f"/changes/{segment(change)}")).body
        done: str | None = None
        try:
            for step in found.get("undo") or ():
                answer = await request.api.command(
                    step["method"],
                    step["path"],
                    step.get("body"),
                    version=step.get("if_match"),
                    headers={_UNDOES: change},
                )
                done = answer.change or done
        except ApiProblem as problem:
            if problem.answer.status != _CHANGED or attempt == _TRIES - 1:
                raise
        else:
            return done
    return None


def _past(number: int, kind: str, *, title: str = "Middlemarch", **more: Any) -> ShownChange:  # noqa: ANN401 (fields)
    event = ShownEvent(kind=kind, data=more, day=more.get("on"))
    time = datetime(2026, 1, 31, 20, 59 - number, tzinfo=UTC)
    name = f"change-{number}"
    return ShownChange(id=name, time=time, address="/books/b", title=title, events=(event,), undo="yes")


def _model(groups: Sequence[ChangeGroup], **more: Any) -> ChangesModel:  # noqa: ANN401 (further fields)
    plain = {"newest": "change-1", "title": "", "alone": False, "next": None, "labels": FIELD_LABELS}
    return ChangesModel(groups=tuple(groups), **{**plain, **more})


_JOB = Job(id="a1", kind=CHANGE, made=datetime(2026, 1, 31, tzinfo=UTC), done=120, total=312)


def _examples() -> Mapping[str, Page]:
    one = ChangeGroup(
        changes=(_past(1, "reading-progressed", progress={"page": 212, "of": 880}, on="2026-01-31"),)
    )
    import_ = ChangeGroup(
        changes=tuple(_past(n, "book-added") for n in range(2, 9)),
        correlation="import-1",
        origin=ChangeOrigin(kind="import", name="goodreads_library_export.csv", count=12),
    )
    renamed = ChangeGroup(changes=(_past(9, "book-changed", pages=880, tags=["one", "two"]),))
    long_title = "The Life and Strange Surprizing Adventures of " * 20
    long = ChangeGroup(changes=(_past(2, "book-reviewed", title=long_title, text="word " * 900),))
    return {
        "usual": Page("changes.html", _model([one, import_, renamed], next="/changes?after=change-9")),
        "empty": Page("changes.html", _model([], newest="")),
        "long": Page("changes.html", _model([long, renamed])),
        "large": Page(
            "changes.html", _model([_with_id(one, n) for n in range(10, 60)], next="/changes?after=a")
        ),
        "running": Page("changes.html", _model([one], running=(_JOB,))),
        "one book": Page("changes.html", _model([one], alone=True, title="Middlemarch")),
    }


def _with_id(group: ChangeGroup, number: int) -> ChangeGroup:
    return ChangeGroup(changes=(msgspec.structs.replace(group.changes[0], id=f"change-{number}"),))


def _change_examples() -> Mapping[str, Page]:
    change = msgspec.structs.replace(_past(1, "reading-started", on="2026-01-20"), undo="blocked")
    blocking = (_past(2, "reading-finished", finished="2026-01-31", stars=4.0),)
    return {
        "usual": Page("change.html", ChangeModel(change=change, blocking=blocking, labels=FIELD_LABELS)),
        "free": Page(
            "change.html", ChangeModel(change=_past(3, "book-added"), blocking=(), labels=FIELD_LABELS)
        ),
    }


PAGES = (
    PageRoute(
        "/changes",
        get=show_changes,
        post=undo_change,
        form=UndoForm,
        params=ChangesQuery,
        title=_("Changes"),
        examples=_examples,
    ),
    PageRoute("/changes/{id}", get=show_change, title=_("A change"), examples=_change_examples),
)
