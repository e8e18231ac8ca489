"""What a reader keeps about a book, as pages and dialogs: stars, a review, passages; and taking it off."""

from collections.abc import Mapping
from typing import Any

from bookshelf.cqrs.errors import NotFound
from bookshelf.shelf.limits import PASSAGE_MAX, REVIEW_MAX
from bookshelf.shelf.pages.progress_text import read_progress, write_progress
from bookshelf.shelf.pages.readings import step_examples, step_route
from bookshelf.shelf.pages.stars_form import StarsForm, chosen_stars, halves_or_exactly
from bookshelf.shelf.pages.step import StepModel, book_address, check_length, step_done, step_model, step_page
from bookshelf.site.api_adapters import FieldFault, segment
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {
    "rated": _("Saved the stars."),
    "reviewed": _("Saved the review."),
    "passage-kept": _("Kept the passage."),
    "passage-removed": _("Removed the passage."),
    "removed": _("The book is off the shelf."),
    "restored": _("The book is back on the shelf."),
}


class ReviewForm(Form):
    """A review, and whether it reveals the plot. An empty text removes it."""

    text: str = ""
    spoiler: bool = False


class PassageForm(Form):
    """A quotation, a note, or both, and the place. `step`: "remove" removes it."""

    quote: str = ""
    note: str = ""
    place: str = ""
    step: str = ""


class RemoveForm(Form):
    """Nothing to fill in."""


def stars_form(book: Mapping[str, Any]) -> StarsForm:
    """Return the form with the stars of a book."""
    stars, exactly = halves_or_exactly(_stars_of(book))
    return StarsForm(stars=stars, exactly=exactly)


def _stars_of(book: Mapping[str, Any]) -> float | None:
    stars: float | None = book.get("stars", book.get("rating"))
    return stars


async def show_stars(request: PageRequest) -> Page:
    """Ask for the stars of a book."""
    book = (await request.api.get(book_address(request))).body
    return await step_page(request, "stars.html", stars_form(book))


async def rate(request: PageRequest, form: StarsForm) -> Redirect:
    """Give stars to a book, or take them away."""
    stars = chosen_stars(form, _stars_of((await request.api.get(book_address(request))).body))
    done = await request.api.put(f"{book_address(request)}/rating", {"stars": stars})
    return step_done(request, "rated", done)


async def show_review(request: PageRequest) -> Page:
    """Ask for the review of a book."""
    book = (await request.api.get(book_address(request))).body
    form = ReviewForm(text=book.get("review") or "", spoiler=bool(book.get("spoiler")))
    return await step_page(request, "review.html", form)


async def review(request: PageRequest, form: ReviewForm) -> Redirect:
    """Save the review of a book."""
    check_length(request, "text", form.text, REVIEW_MAX)
    body = {"text": form.text or None, "spoiler": form.spoiler and bool(form.text)}
    done = await request.api.put(f"{book_address(request)}/review", body)
    return step_done(request, "reviewed", done)


class PassageModel(StepModel):
    """A passage to change."""

    number: int


async def show_new_passage(request: PageRequest) -> Page:
    """Ask for a passage to keep."""
    return await step_page(request, "new_passage.html", PassageForm())


async def keep_passage(request: PageRequest, form: PassageForm) -> Redirect:
    """Keep a passage."""
    body = {name: value for name, value in _passage_body(request, form).items() if value is not None}
    done = await request.api.post(f"{book_address(request)}/passages", body)
    return step_done(request, "passage-kept", done)


async def show_passage(request: PageRequest) -> Page:
    """Show a passage to change. Raises `NotFound`, `ApiProblem`."""
    address = book_address(request)
    book = await request.api.get(address)
    passages = (await request.api.get(f"{address}/passages")).body
    found = next((one for one in passages if str(one["number"]) == request.path["n"]), None)
    if found is None:
        raise NotFound(request.translate(_("There is no such passage.")))
    form = PassageForm(
        quote=found.get("quote") or "",
        note=found.get("note") or "",
        place=write_progress(found.get("progress")),
    )
    step = step_model(book.body)
    model = PassageModel(book=step.book, cover=step.cover, number=found["number"])
    return Page("passage.html", model, form=form, version=book.version)


async def change_passage(request: PageRequest, form: PassageForm) -> Redirect:
    """Change a passage, or remove it."""
    path = f"{book_address(request)}/passages/{segment(request.path['n'])}"
    if form.step == "remove":
        return step_done(request, "passage-removed", await request.api.delete(path))
    done = await request.api.patch(path, _passage_body(request, form))
    return step_done(request, "passage-kept", done)


def _passage_body(request: PageRequest, form: PassageForm) -> dict[str, Any]:
    """Return the fields of a passage. Raises `FormRefused`."""
    for name in ("quote", "note"):
        check_length(request, name, getattr(form, name), PASSAGE_MAX)
    if not form.quote and not form.note:
        raise FormRefused(FieldFault("quote", request.translate(_("Write a quotation, a note, or both."))))
    place = read_progress(form.place) if form.place else None
    if form.place and place is None:
        detail = request.translate(_("Write a page like 212, a part like 51 % or a time like 3h10."))
        raise FormRefused(FieldFault("place", detail))
    return {"quote": form.quote or None, "note": form.note or None, "progress": place}


async def show_remove(request: PageRequest) -> Page:
    """Ask whether a book is taken off the shelf."""
    return await step_page(request, "remove.html", RemoveForm())


async def remove(request: PageRequest, _form: RemoveForm) -> Redirect:
    """Take a book off the shelf."""
    return step_done(request, "removed", await request.api.delete(book_address(request)))


async def show_restore(request: PageRequest) -> Redirect:
    """Lead to the page of the book, which has the button."""
    return Redirect(book_address(request))


async def restore(request: PageRequest, _form: RemoveForm) -> Redirect:
    """Put a removed book back."""
    done = await request.api.post(f"{book_address(request)}/restored")
    return step_done(request, "restored", done)


def _passage_examples() -> Mapping[str, Page]:
    usual = step_examples("passage.html", PassageForm(quote="Fear is the mind-killer.", place="12"))["usual"]
    book = usual.model.book  # type: ignore[attr-defined]  # a StepModel
    step = step_model(book)
    model = PassageModel(book=step.book, cover=step.cover, number=1)
    return {"usual": Page("passage.html", model, form=usual.form)}


PAGES = (
    step_route("stars", get=show_stars, post=rate, title=_("Stars"), shown=StarsForm(stars=4.5)),
    step_route(
        "review", get=show_review, post=review, title=_("Review"), shown=ReviewForm(text="The ice crossing.")
    ),
    PageRoute(
        "/books/{id}/passages",
        get=show_new_passage,
        post=keep_passage,
        form=PassageForm,
        title=_("Keep a passage"),
        examples=lambda: step_examples("new_passage.html", PassageForm()),
        section="/books",
    ),
    PageRoute(
        "/books/{id}/passages/{n}",
        get=show_passage,
        post=change_passage,
        form=PassageForm,
        title=_("A passage"),
        examples=_passage_examples,
        section="/books",
    ),
    step_route("remove", get=show_remove, post=remove, title=_("Take it off the shelf"), shown=RemoveForm()),
    PageRoute("/books/{id}/restore", get=show_restore, post=restore, form=RemoveForm, title=_("Put it back")),
)
