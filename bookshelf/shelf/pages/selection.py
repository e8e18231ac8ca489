"""Changes of many books at once: tag, list, stars, state, format, series, remove; one Undo takes all back."""

from collections.abc import Mapping

import msgspec

from bookshelf.shelf.limits import NAME_MAX, TAG_MAX
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.pages.bulk import correlation_of
from bookshelf.shelf.pages.change_report import ChangeChoices, typed_tags
from bookshelf.shelf.pages.jobs import CHANGE, job_redirect, run_job
from bookshelf.shelf.pages.shelf_filters import USUAL_SORT, ShelfQuery, address, filters_of, sort_of
from bookshelf.site.api_adapters import FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {"changed-many": _("Changed the selected books.")}
#: What can be done with the selected books.
ACTIONS: tuple[tuple[str, str], ...] = (
    ("tag", _("Add the tag")),
    ("untag", _("Take the tag off")),
    ("list", _("Put on a list")),
    ("stars", _("Give stars")),
    ("finished", _("Mark as finished")),
    ("format", _("Set the format")),
    ("series", _("Set the series")),
    ("remove", _("Take off the shelf")),
)
#: Actions without a value.
_BARE = frozenset({"finished", "remove"})


class SelectionForm(Form):
    """The selected books, or all that the filters match; what is done with them, and its value."""

    book: tuple[str, ...] = ()
    everything: bool = False
    action: str = ""
    value: str = ""


async def change_books(request: PageRequest, form: SelectionForm) -> Redirect:
    """Change the selected books by a job. Raises `FormRefused`, `Problem`."""
    asked: ShelfQuery = request.query
    _check(request, form)
    choices = ChangeChoices(
        correlation=correlation_of(request),
        action=form.action,
        value=_value(request, form),
        books=form.book,
        filters=filters_of(asked) if form.everything else None,
        # books stay where they are in this sort while they are changed; a list gets them in the shelf's order
        sort=sort_of(asked, request.preferences.more.get("sort", USUAL_SORT))
        if form.action == "list"
        else "title",
        after=request.api.positions,
    )
    job = await run_job(request, CHANGE, msgspec.to_builtins(choices))
    report = job.report
    if job.state == "done" and report["refused"] and not report["changed"]:
        detail = request.translate(_("None of the books was changed; the value is not possible for them."))
        raise FormRefused(FieldFault("value", detail))
    return job_redirect(job, address(asked, select=False), "changed-many")


def _check(request: PageRequest, form: SelectionForm) -> None:
    if not form.book and not form.everything:
        raise FormRefused(FieldFault("book", request.translate(_("Select a book first."))))
    if form.action not in dict(ACTIONS):
        raise FormRefused(FieldFault("action", request.translate(_("Choose one of these."))))
    is_tags = form.action in {"tag", "untag"}
    texts = typed_tags(form.value) if is_tags else [form.value]
    if form.action not in _BARE and not any(texts):
        raise FormRefused(FieldFault("value", request.translate(_("Fill this in."))))
    most = TAG_MAX if is_tags else NAME_MAX
    if any(len(text) > most for text in texts):
        detail = request.translate(_("Write %(most)s characters at most.")) % {"most": most}
        raise FormRefused(FieldFault("value", detail))


def _value(request: PageRequest, form: SelectionForm) -> str:
    """Return the value of the form as the job takes it. Raises `FormRefused`."""
    match form.action:
        case "stars":
            return str(_stars(request, form.value))
        case "list" if form.value.casefold() in {UP_NEXT, request.translate(_("Up next")).casefold()}:
            return UP_NEXT
    return form.value


def _stars(request: PageRequest, text: str) -> float:
    try:
        return msgspec.convert(text.replace(",", "."), float, strict=False)
    except msgspec.ValidationError:
        detail = request.translate(_("Write a number, like 4 or 4.5."))
        raise FormRefused(FieldFault("value", detail)) from None
