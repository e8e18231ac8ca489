"""The steps of a reading as pages and dialogs: start, progress, pause, give up, finish, correct."""

from collections.abc import Mapping
from typing import Any

from bookshelf.cqrs.errors import NotFound
from bookshelf.shelf.field_types import Format, Stars
from bookshelf.shelf.limits import NOTES_MAX, REASON_MAX, REVIEW_MAX
from bookshelf.shelf.pages.bulk import CORRELATION
from bookshelf.shelf.pages.progress_text import read_progress
from bookshelf.shelf.pages.stars_form import StarsForm, chosen_stars, halves_or_exactly
from bookshelf.shelf.pages.step import StepModel, book_address, check_length, step_done, step_model, step_page
from bookshelf.shelf.pages.typed_day import TypedDay
from bookshelf.site.api_adapters import FieldFault, segment
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Page, PageRoute, Redirect, Show, Submit, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {
    "started": _("Started. Enjoy it."),
    "progress": _("Saved how far you are."),
    "paused": _("Paused."),
    "resumed": _("Going on."),
    "abandoned": _("Given up."),
    "finished": _("Finished."),
    "reading-corrected": _("Saved the reading."),
    "reading-removed": _("Removed the reading."),
    "reading-reopened": _("The reading is open again."),
}


class StartForm(Form):
    """When a reading started. `dated`: the form had the day; without it the reading starts today."""

    started: TypedDay | None = None
    format: Format | None = None
    dated: bool = False


class ProgressForm(Form):
    """How far the reading has come, on which day (today if it is left out), and a note."""

    progress: str
    on: TypedDay | None = None
    note: str = ""


class PauseForm(Form):
    """The day of the pause; today if it is left out."""

    on: TypedDay | None = None


class AbandonForm(Form):
    """When the reading was given up (unknown if it is left out), and why."""

    on: TypedDay | None = None
    reason: str = ""


class FinishForm(Form):
    """When the book was finished (unknown if it is left out), and how it was."""

    finished: TypedDay | None = None
    stars: Stars | None = None
    review: str = ""


class CorrectForm(StarsForm):
    """Dates and stars of a reading, unknown if they are left out. `step`: what else is done with it."""

    started: TypedDay | None = None
    ended: TypedDay | None = None
    format: Format | None = None
    step: str = ""


async def show_start(request: PageRequest) -> Page:
    """Ask for the day and the format of a new reading."""
    return await step_page(request, "start.html", StartForm(started=request.today.isoformat()))


async def start(request: PageRequest, form: StartForm) -> Redirect:
    """Start a reading, or go on with the paused one."""
    address = book_address(request)
    book = (await request.api.get(address)).body
    if book.get("state") == "paused":
        day = {"on": request.today.isoformat()}
        done = await request.api.post(f"{address}/readings/current/resumed", day)
        return step_done(request, "resumed", done)
    started = form.started if form.dated else request.today.isoformat()
    body = {"started": started, **({"format": form.format} if form.format else {})}
    done = await request.api.post(f"{address}/readings", body)
    return step_done(request, "started", done)


async def show_progress(request: PageRequest) -> Page:
    """Ask how far the reading has come."""
    form = ProgressForm(progress="", on=request.today.isoformat())
    return await step_page(request, "progress.html", form)


async def note_progress(request: PageRequest, form: ProgressForm) -> Redirect:
    """Note how far the open reading has come; start one if none is open. Raises `FormRefused`."""
    progress = read_progress(form.progress)
    if progress is None:
        detail = request.translate(_("Write a page like 212, a part like 51 % or a time like 3h10."))
        raise FormRefused(FieldFault("progress", detail))
    check_length(request, "note", form.note, NOTES_MAX)
    address = book_address(request)
    book = (await request.api.get(address)).body
    _check_within(request, progress, book)
    on = form.on or request.today.isoformat()
    if book.get("state") not in {"reading", "paused"}:
        await request.api.post(f"{address}/readings", {"started": on})
    body = {"progress": progress, "on": on, **({"note": form.note} if form.note else {})}
    done = await request.api.post(f"{address}/readings/current/progress", body)
    return step_done(request, "progress", done)


def _check_within(request: PageRequest, progress: Mapping[str, Any], book: Mapping[str, Any]) -> None:
    """Return if a page or a time is not beyond the end of the book. Raises `FormRefused`."""
    unit, most = ("page", book.get("pages")) if "page" in progress else ("minutes", book.get("minutes"))
    total = progress.get("of") or (book.get("progress") or {}).get("of") or most
    value = progress.get(unit)
    if total is None or value is None or value <= total:
        return
    if unit == "page":
        detail = request.translate(
            _("The book has %(total)s pages. If yours has more, write both: %(both)s.")
        )
    else:
        detail = request.translate(
            _("The book has %(total)s minutes. If yours has more, correct that with Edit.")
        )
    both = f"{value}/{max(value, total)}"
    raise FormRefused(FieldFault("progress", detail % {"total": total, "both": both}))


async def show_pause(request: PageRequest) -> Page:
    """Ask for the day of a pause."""
    return await step_page(request, "pause.html", PauseForm(on=request.today.isoformat()))


async def pause(request: PageRequest, form: PauseForm) -> Redirect:
    """Pause the open reading."""
    address = book_address(request)
    body = {"on": form.on or request.today.isoformat()}
    done = await request.api.post(f"{address}/readings/current/paused", body)
    return step_done(request, "paused", done)


async def show_abandon(request: PageRequest) -> Page:
    """Ask when and why a reading is given up."""
    return await step_page(request, "abandon.html", AbandonForm(on=request.today.isoformat()))


async def abandon(request: PageRequest, form: AbandonForm) -> Redirect:
    """Give the open reading up."""
    check_length(request, "reason", form.reason, REASON_MAX)
    address = book_address(request)
    body = {"on": form.on, "reason": form.reason or None}
    done = await request.api.post(f"{address}/readings/current/abandoned", body)
    return step_done(request, "abandoned", done)


async def show_finish(request: PageRequest) -> Page:
    """Ask when a book was finished, and how it was."""
    return await step_page(request, "finish.html", FinishForm(finished=request.today.isoformat()))


async def finish(request: PageRequest, form: FinishForm) -> Redirect:
    """Finish the open reading; record a past one if none is open."""
    check_length(request, "review", form.review, REVIEW_MAX)
    address = book_address(request)
    book = (await request.api.get(address)).body
    given = {"stars": form.stars, "review": form.review}
    opinion = {name: value for name, value in given.items() if value}
    if book.get("state") in {"reading", "paused"}:
        path, body = f"{address}/readings/current/finished", {"finished": form.finished, **opinion}
    else:
        path, body = f"{address}/readings", {"end": "finished", "ended": form.finished, **opinion}
    done = await request.api.post(path, body)
    return step_done(request, "finished", done)


class CorrectModel(StepModel):
    """A reading to correct."""

    reading: Mapping[str, Any]


async def show_reading(request: PageRequest) -> Page:
    """Ask for the right dates of a reading. Raises `Refused`, `ApiProblem`."""
    book = await request.api.get(book_address(request))
    reading = await _reading_of(request)
    step = step_model(book.body)
    stars, exactly = halves_or_exactly(reading.get("stars"))
    form = CorrectForm(
        started=reading.get("started"),
        ended=reading.get("ended"),
        format=reading.get("format"),
        stars=stars,
        exactly=exactly,
    )
    model = CorrectModel(book=step.book, cover=step.cover, reading=reading)
    return Page("reading.html", model, form=form, version=book.version)


async def _reading_of(request: PageRequest) -> Mapping[str, Any]:
    """Return the reading of the address. Raises `NotFound`, `ApiProblem`."""
    number = request.path["n"]
    for reading in (await request.api.get(f"{book_address(request)}/readings")).body:
        if str(reading["number"]) == number:
            found: Mapping[str, Any] = reading
            return found
    raise NotFound(request.translate(_("There is no such reading.")))


async def correct_reading(request: PageRequest, form: CorrectForm) -> Redirect:
    """Correct the dates and the stars of a reading, remove it, or open it again."""
    path = f"{book_address(request)}/readings/{segment(request.path['n'])}"
    if form.step == "remove":
        return step_done(request, "reading-removed", await request.api.delete(path))
    if form.step == "reopen":
        return step_done(request, "reading-reopened", await request.api.post(f"{path}/reopened"))
    reading = await _reading_of(request)
    body: dict[str, Any] = {"started": form.started, "format": form.format}
    if reading["end"] == "open":
        return step_done(request, "reading-corrected", await request.api.patch(path, body))
    # a form that is sent again has the same key, and so the same correlation
    joined = {CORRELATION: request.api.key}
    opinion = {"stars": chosen_stars(form, reading.get("stars")), "reading": reading["number"]}
    await request.api.command("PATCH", path, {**body, "ended": form.ended}, headers=joined)
    await request.api.command("PUT", f"{book_address(request)}/rating", opinion, headers=joined)
    return Redirect(
        request.back(book_address(request)), notice="reading-corrected", correlation=request.api.key
    )


#: A book and a reading for examples.
_BOOK: Mapping[str, Any] = {
    "id": "middlemarch",
    "title": "Middlemarch",
    "author": "George Eliot",
    "state": "reading",
    "pages": 880,
}
_LONG: Mapping[str, Any] = {**_BOOK, "title": "The Life and Strange Surprizing Adventures of " * 20}


def step_examples(template: str, form: Form) -> Mapping[str, Page]:
    """Return the states of a step's page: a usual book, and one with a title of 900 characters."""
    return {
        "usual": Page(template, step_model(_BOOK), form=form),
        "long": Page(template, step_model(_LONG), form=form),
    }


def step_route(name: str, *, get: Show, post: Submit, title: str, shown: Form) -> PageRoute:
    """Return the page of one step of a book, whose form is like the one shown in the gallery."""
    return PageRoute(
        f"/books/{{id}}/{name}",
        get=get,
        post=post,
        form=type(shown),
        title=title,
        examples=lambda: step_examples(f"{name}.html", shown),
        section="/books",
    )


def _reading_examples() -> Mapping[str, Page]:
    reading = {"number": 1, "end": "finished", "started": "2024-02", "ended": "2024-03-01"}
    step = step_model(_BOOK)
    form = CorrectForm(started="2024-02", ended="2024-03-01", stars=4.5)
    return {
        "usual": Page(
            "reading.html", CorrectModel(book=step.book, cover=step.cover, reading=reading), form=form
        )
    }


PAGES = (
    step_route("start", get=show_start, post=start, title=_("Start"), shown=StartForm(started="2026-01-31")),
    step_route(
        "progress",
        get=show_progress,
        post=note_progress,
        title=_("How far you are"),
        shown=ProgressForm(progress="212", on="2026-01-31"),
    ),
    step_route("pause", get=show_pause, post=pause, title=_("Pause"), shown=PauseForm(on="2026-01-31")),
    step_route(
        "abandon", get=show_abandon, post=abandon, title=_("Give up"), shown=AbandonForm(on="2026-01-31")
    ),
    step_route(
        "finish", get=show_finish, post=finish, title=_("Finished"), shown=FinishForm(finished="2026-01-31")
    ),
    PageRoute(
        "/books/{id}/readings/{n}",
        get=show_reading,
        post=correct_reading,
        form=CorrectForm,
        title=_("A reading"),
        examples=_reading_examples,
        section="/books",
    ),
)
