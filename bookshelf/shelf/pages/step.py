"""What the pages of single steps share: the book of the step, its address, the change that was made."""

from collections.abc import Mapping
from typing import Any

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.pages.covers import generate_cover
from bookshelf.site.api_adapters import FieldFault, segment
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, Redirect, _
from bookshelf.site.page_request import PageRequest


class StepModel(Model):
    """A step in the life of a book: the book and its cover."""

    book: Mapping[str, Any]
    cover: GeneratedCover


def step_model(book: Mapping[str, Any]) -> StepModel:
    """Return the model of a step for a book as the API answers it."""
    return StepModel(book=book, cover=generate_cover(book))


async def step_page(request: PageRequest, template: str, form: Form) -> Page:
    """Return the page of a step. Raises `ApiProblem`."""
    answer = await request.api.get(book_address(request))
    return Page(template, step_model(answer.body), form=form, version=answer.version)


def book_address(request: PageRequest) -> str:
    """Return the address of the book of a step, which is also its path in the API."""
    return f"/books/{segment(request.path['id'])}"


def step_done(request: PageRequest, notice: str, done: ApiAnswer) -> Redirect:
    """Return to the page that the step was taken from, with a notice whose Undo takes the step back."""
    return Redirect(request.back(book_address(request)), notice=notice, change=done.change)


def check_length(request: PageRequest, field: str, text: str, most: int) -> None:
    """Return if a text is within its limit. Raises `FormRefused`."""
    if len(text) > most:
        detail = request.translate(_("Write %(most)s characters at most.")) % {"most": most}
        raise FormRefused(FieldFault(field, detail))
