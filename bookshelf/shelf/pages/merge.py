"""The page that merges two books: the other one is chosen, both are compared, the result is shown."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.cqrs.errors import NotFound
from bookshelf.shelf.pages.bulk import correlation_of
from bookshelf.shelf.pages.change_report import MergeChoices
from bookshelf.shelf.pages.covers import generate_cover
from bookshelf.shelf.pages.field_labels import FIELD_LABELS, FORMATS
from bookshelf.shelf.pages.jobs import MERGE, job_redirect, run_job
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.step import book_address
from bookshelf.site.api_adapters import FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

if TYPE_CHECKING:
    from bookshelf.shelf.library_files.shelf_index import ShelfBook

NOTICES: Mapping[str, str] = {"merged": _("Merged the two books.")}
#: Books to choose from, and words of the title that they are searched with.
_FOUND, _WORDS = 24, 3
#: What the names of the choices begin with, and the value of a choice for the other book.
_CHOICE, _OTHER = "take.", "other"
#: Values that the comparison names beside the fields of a book.
_LABELS: Mapping[str, str] = {
    **FIELD_LABELS,
    "stars": _("Stars"),
    "review": _("Review"),
    "cover": _("Cover"),
    "started": _("Started"),
    "ended": _("Finished"),
    "end": _("How it ended"),
    "paused": _("Paused"),
    "progress": _("Progress"),
}
#: The covers of both books.
_PICTURES: Mapping[str, str] = {"own": _("As it is"), "other": _("That of the other book")}
_ENDS: Mapping[str, str] = {"finished": _("finished"), "abandoned": _("given up"), "open": _("being read")}


class MergeQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"other": "with"}):
    """The id of the book that is merged into this one; before it is chosen, the words it is searched with."""

    other: str = ""
    q: str | None = None


class MergeForm(Form):
    """The books as they were shown, by their versions. The choices have the names of their fields."""

    seen: str = ""


class ChooseModel(Model):
    """The book that is kept, and books that may be the other one."""

    book: Mapping[str, Any]
    cover: GeneratedCover
    words: str
    found: tuple[BookTile, ...]


class MergeSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two books as it is."""

    id: str
    title: str
    author: str
    cover: GeneratedCover
    readings: int
    passages: int


class ShownValue(msgspec.Struct, frozen=True):
    """A value of a field; `known`: it is a text of this page."""

    value: Any
    known: bool = False


class MergeChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A field that differs: its name in the form, its label, both values, and whether the other is taken."""

    name: str
    label: str
    number: str
    own: ShownValue
    other: ShownValue
    taken: bool


class MergeModel(Model):
    """Two books, the fields that differ, and what the kept one is after the merge.

    `lost`: readings whose progress entries stay with the other book.
    """

    address: str
    swapped: str
    kept: MergeSide
    other: MergeSide
    seen: str
    choices: tuple[MergeChoice, ...]
    result: MergeSide
    fields: tuple[tuple[str, ShownValue], ...]
    lists: tuple[str, ...]
    lost: int


async def show_merge(request: PageRequest) -> Page:
    """Ask for the other book, or show both side by side."""
    asked: MergeQuery = request.query
    if not asked.other:
        return await _show_choice(request, asked)
    kept, other = await _read_pair(request)
    return await _show_pair(request, kept, other)


async def _show_choice(request: PageRequest, asked: MergeQuery) -> Page:
    book = (await request.api.get(book_address(request))).body
    words = " ".join(str(book["title"]).split()[:_WORDS]) if asked.q is None else asked.q
    answer = await request.api.get(target("/books", q=words[:200], limit=_FOUND))
    return _choice_page(book, words, [one for one in answer.body if one["id"] != book["id"]])


def _choice_page(book: Mapping[str, Any], words: str, found: Sequence[Mapping[str, Any]]) -> Page:
    model = ChooseModel(
        book=book, cover=generate_cover(book), words=words, found=tuple(book_tile(one) for one in found)
    )
    return Page("merge_choice.html", model)


async def _read_pair(request: PageRequest) -> "tuple[ShelfBook, ShelfBook]":
    """Return both books with all that they have. Raises `NotFound`."""
    from bookshelf.shelf.library_files.shelf_copy import read_book  # noqa: PLC0415 (see jobs.py)

    names = request.path["id"], request.query.other
    after = request.api.positions
    kept, other = [await read_book(request.jobs.api, name, after) for name in names]
    if kept is None or other is None or kept.removed or other.removed or names[0] == names[1]:
        raise NotFound(request.translate(_("These are not two books on the shelf.")))
    return kept, other


def _taken(request: PageRequest) -> tuple[str, ...]:
    """Return the fields for which the reader has chosen the other book's value."""
    values = request.parameters if request.submission is None else request.submission.values
    return tuple(
        name.removeprefix(_CHOICE)
        for name, texts in values.items()
        if name.startswith(_CHOICE) and _OTHER in texts
    )


async def _show_pair(request: PageRequest, kept: "ShelfBook", other: "ShelfBook") -> Page:
    from bookshelf.shelf.pages.merge_job import lists_with  # noqa: PLC0415 (see jobs.py)

    found = await lists_with(request.jobs.api, kept.id, other.id, request.api.positions)
    lists = tuple(name or request.translate(_("Up next")) for __, name in found)
    return _pair_page(kept, other, _taken(request), lists)


def _pair_page(
    kept: "ShelfBook", other: "ShelfBook", taken: tuple[str, ...], lists: tuple[str, ...] = ()
) -> Page:
    from bookshelf.shelf.pages.merge_job import lost_entries, plan_merge  # noqa: PLC0415 (see jobs.py)

    comparison = plan_merge(kept, other, taken)
    after = comparison.after
    model = MergeModel(
        address=f"/books/{segment(kept.id)}",
        swapped=target(f"/books/{segment(other.id)}/merge", with_=kept.id),
        kept=_side(kept),
        other=_side(other),
        seen=_seen(kept, other),
        choices=tuple(
            _choice(one.field, one.shelf, one.file, taken=one.taken) for one in comparison.differences
        ),
        result=_side(after),
        fields=tuple(_fields(after)),
        lists=lists,
        lost=lost_entries(kept, other),
    )
    return Page("merge.html", model, form=MergeForm())


def _seen(kept: "ShelfBook", other: "ShelfBook") -> str:
    return f"{kept.version} {other.version}"


def _side(book: "ShelfBook") -> MergeSide:
    built = msgspec.to_builtins(book.book)
    return MergeSide(
        id=book.id,
        title=book.book.title,
        author=book.book.author,
        cover=generate_cover({**built, "id": book.id, "cover": msgspec.to_builtins(book.cover)}),
        readings=len(book.readings),
        passages=len(book.passages),
    )


def _choice(field: str, own: object, other: object, *, taken: bool) -> MergeChoice:
    """Return a difference as it is shown; "reading 2: ended" has the number of its reading."""
    where, _, name = field.rpartition(": ")
    name, _, part = name.partition(".")
    if name == "cover":
        own, other = _PICTURES  # in this sequence
    return MergeChoice(
        name=f"{_CHOICE}{field}",
        label=_LABELS.get(name, name),
        number=where.removeprefix("reading ") or part,
        own=_shown(name, own),
        other=_shown(name, other),
        taken=taken,
    )


def _shown(name: str, value: Any) -> ShownValue:  # noqa: ANN401 (a field's value)
    words = {"end": _ENDS, "format": FORMATS, "cover": _PICTURES}.get(name, {})
    known = isinstance(value, str) and value in words
    return ShownValue(words[value] if known else value, known)


def _fields(book: "ShelfBook") -> Sequence[tuple[str, ShownValue]]:
    """Return the labels and values of a book's fields. Contributors have the author among them."""
    values = msgspec.to_builtins(book.book)
    if values.get("contributors"):
        values.pop("author", None)
    values |= {"stars": book.stars, "review": book.review}
    names = (*FIELD_LABELS, "stars", "review")
    return [(_LABELS[name], _shown(name, values[name])) for name in names if values.get(name)]


async def merge(request: PageRequest, form: MergeForm) -> Redirect:
    """Merge the two books by a job. Raises `FormRefused`, `NotFound`, `Problem`."""
    if not request.query.other:
        raise FormRefused(FieldFault("other", request.translate(_("Choose the other book first."))))
    job_known = await request.jobs.get(request.api.key, MERGE)
    if job_known is None and form.seen != _seen(*await _read_pair(request)):
        detail = request.translate(_("One of the books was changed meanwhile. Look at the result again."))
        raise FormRefused(FieldFault("seen", detail))
    choices = MergeChoices(
        correlation=correlation_of(request),
        kept=request.path["id"],
        other=request.query.other,
        taken=_taken(request),
        after=request.api.positions,
    )
    job = await run_job(request, MERGE, msgspec.to_builtins(choices))
    return job_redirect(job, book_address(request), "merged")


def _examples() -> Mapping[str, Page]:
    from bookshelf.shelf.pages.merge_examples import example_pairs  # noqa: PLC0415 (see jobs.py)

    book = {"id": "dune", "title": "Dune", "author": "Frank Herbert"}
    found = [{**book, "id": f"d{n}", "title": f"Dune, edition {n}"} for n in range(_FOUND)]
    long = {**book, "id": "long", "title": "The Life and Adventures of " * 20}
    return {
        **{name: _pair_page(*pair) for name, pair in example_pairs().items()},
        "choice": _choice_page(book, "Dune", found[:5]),
        "nothing found": _choice_page(book, "Dune", []),
        "long choice": _choice_page(long, "Dune", [long, *found]),
    }


PAGES = (
    PageRoute(
        "/books/{id}/merge",
        get=show_merge,
        post=merge,
        form=MergeForm,
        title=_("Merge two books"),
        params=MergeQuery,
        section="/books",
        examples=_examples,
    ),
)
