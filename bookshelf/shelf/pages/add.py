"""Adding books: by title and author, by ISBN, or many from a pasted list; duplicates are offered first."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from bookshelf.shelf.pages.bulk import correlation_of, is_done, item, send_bulk
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.typed_book import TypedBook, read_book, splits
from bookshelf.shelf.search_text import fold
from bookshelf.site.api_adapters import FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {
    "added": _("Added."),
    "copy-added": _("Counted one more copy."),
    "added-many": _("Added the books of the list."),
}
#: Books that were added last, and lines of a pasted list.
_NEWEST, _LINES = 12, 500


Count = Annotated[int, msgspec.Meta(ge=0, le=1000)]


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """What is typed as a title and its author. `done`: it is added so, unless the reader refuses that."""

    title: str
    author: str
    done: bool


class AddQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed so far, and the id of a book on the shelf that is the same.

    After a book was added: its id; after a list: how many books were added, and how many were there already.
    """

    title: str = ""
    author: str = ""
    isbn: str = ""
    same: str = ""
    added: str = ""
    count: Count = 0
    left: Count = 0


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A book on the shelf whose title begins like what is typed."""

    id: str
    title: str
    author: str
    state: str
    finished: str


class AddModel(Model):
    """What the page shows: suggestions, the same book on the shelf, and the books that were added last.

    `split` is what is typed in two parts, if it can be read so. `authors` and `series` are names of the
    reader's own books. `isbn` is that of the book to add. `added`, `count` and `left` are for the notice.
    """

    split: Split | None
    known: tuple[Known, ...]
    authors: tuple[str, ...]
    series: tuple[str, ...]
    same: BookTile | None
    isbn: str
    newest: tuple[BookTile, ...] | None
    added: BookTile | None
    count: int
    left: int


class AddForm(Form):
    """A book, or a pasted list.

    `anyway`: it is added although the same one is on the shelf. `whole`: the title has no author in it.
    `copy_of` is the id of a book that the reader has once more.
    """

    title: str = ""
    author: str = ""
    isbn: str = ""
    many: str = ""
    anyway: bool = False
    whole: bool = False
    copy_of: str = ""


async def show_add(request: PageRequest) -> Page:
    """Show the form, suggestions for what is typed, and the books that were added last."""
    asked: AddQuery = request.query
    newest, known, suggested, same, added, split = await asyncio.gather(
        request.api.try_get(target("/books", sort="-added", limit=_NEWEST)),
        _known(request, asked.title),
        _suggest(request, asked.author),
        _read_tile(request, asked.same),
        _read_tile(request, asked.added),
        _find_split(request, asked),
    )
    model = AddModel(
        split=split if same is None else None,
        known=known if same is None else (),
        authors=_names(suggested, "author"),
        series=_names(suggested, "series"),
        same=same,
        isbn=asked.isbn,
        newest=None if newest is None else tuple(map(book_tile, newest.body)),
        added=added,
        count=asked.count,
        left=asked.left,
    )
    return Page("add.html", model, form=AddForm(title=asked.title, author=asked.author, isbn=asked.isbn))


async def _suggest(request: PageRequest, words: str) -> Sequence[Mapping[str, Any]]:
    answer = await request.api.try_get(target("/books/suggest", q=words[:200])) if words.strip() else None
    return () if answer is None else answer.body


def _names(suggested: Sequence[Mapping[str, Any]], kind: str) -> tuple[str, ...]:
    return tuple(one["text"] for one in suggested if one["kind"] == kind)


async def _known(request: PageRequest, words: str) -> tuple[Known, ...]:
    """Return the books on the shelf whose title begins like this."""
    found = await _suggest(request, words)
    ids = [one["id"] for one in found if one["kind"] == "title"]
    answers = await asyncio.gather(*(request.api.try_get(f"/books/{segment(name)}") for name in ids))
    return tuple(
        Known(
            id=answer.body["id"],
            title=answer.body["title"],
            author=answer.body["author"],
            state=str(answer.body.get("state") or "unread"),
            finished=str(answer.body.get("finished_on") or answer.body.get("finished") or ""),
        )
        for answer in answers
        if answer is not None
    )


async def _read_tile(request: PageRequest, name: str) -> BookTile | None:
    answer = await request.api.try_get(f"/books/{segment(name)}") if name else None
    return None if answer is None else book_tile(answer.body)


async def _find_split(request: PageRequest, asked: AddQuery) -> Split | None:
    """Return the two parts of what is typed as a title so far; those that would be added come first."""
    text = " ".join(asked.title.split())
    if asked.author or asked.added:
        return None
    if (split := await split_title(request, text)) is not None:
        return Split(title=split.title, author=split.author, done=True)
    first = next(splits(text), None)
    return None if first is None else Split(title=first[0].title, author=first[0].author, done=False)


async def split_title(request: PageRequest, text: str) -> TypedBook | None:
    """Return the book of a title that contains its author; None if all of it is the title.

    The author is one of the shelf or looks like the name of a person, and no book of the shelf has the whole
    text as its title.
    """
    for split, is_named in splits(text):
        if is_named or await _is_author(request, split.author):
            return None if await find_same(request, TypedBook(title=text)) else split
    return None


async def _is_author(request: PageRequest, name: str) -> bool:
    """Return True for the name of an author of the shelf."""
    return fold(name) in map(fold, _names(await _suggest(request, name), "author"))


async def _read(request: PageRequest, text: str, form: AddForm, field: str = "title") -> TypedBook:
    """Return the book of a typed line. Raises `FormRefused`."""
    book = read_book(request, text, form.author, field)
    if book.isbn or form.author or form.whole:
        return book
    return await split_title(request, book.title) or book


async def add(request: PageRequest, form: AddForm) -> Redirect:
    """Add a book, or those of a list. Raises `FormRefused`, `ApiProblem`."""
    if form.copy_of:
        return await _add_copy(request, f"/books/{segment(form.copy_of)}")
    if form.many.strip():
        return await _add_many(request, form.many)
    book = await _read(request, form.title, form)
    if form.isbn and not book.isbn:
        book = msgspec.structs.replace(book, isbn=form.isbn)
    if not form.anyway and (same := await find_same(request, book)) is not None:
        again = target("/books/add", title=book.title, author=book.author, isbn=book.isbn, same=same["id"])
        return Redirect(again)
    done = await request.api.post("/books", book.to_body())
    return Redirect(target("/books/add", added=done.body["id"]), notice="added", change=done.change)


async def _add_copy(request: PageRequest, path: str) -> Redirect:
    """Count one more copy of a book; one of an unknown number is the first."""
    book = await request.api.get(path)
    copies = (book.body.get("copies") or 1) + 1
    done = await request.api.patch(path, {"copies": copies}, version=book.version)
    return Redirect(path, notice="copy-added", change=done.change)


async def _add_many(request: PageRequest, text: str) -> Redirect:
    """Add the books of a pasted list, one a line; those that are on the shelf are left out.

    Raises `FormRefused` for the lines that are no books, after the others were added.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES:
        detail = request.translate(_("Paste %(most)s lines at most; use Import for more.")) % {"most": _LINES}
        raise FormRefused(FieldFault("many", detail))
    read = await asyncio.gather(
        *(_read(request, line, AddForm(), "many") for line in dict.fromkeys(lines)), return_exceptions=True
    )
    books = list(dict.fromkeys(book for book in read if isinstance(book, TypedBook)))
    same = await asyncio.gather(*(find_same(request, book) for book in books))
    new = [book for book, found in zip(books, same, strict=True) if found is None]
    correlation = correlation_of(request)
    items = [item("POST", "/books", book.to_body()) for book in new]
    results = await send_bulk(request, "/books/bulk", items, correlation)
    refused = [book.title for book, result in zip(new, results, strict=True) if not is_done(result)]
    _refuse(request, [*_reasons(read), *refused], len(new) - len(refused))
    left = len(lines) - len(new)
    again = target("/books/add", count=len(new), left=left or None)
    return Redirect(again, notice="added-many", correlation=correlation)


def _reasons(read: Sequence[TypedBook | BaseException]) -> Iterator[str]:
    """Yield why lines are no books. Raises what else was wrong."""
    for fault in read:
        if isinstance(fault, FormRefused):
            yield from (wrong.detail for wrong in fault.faults)
        elif isinstance(fault, BaseException):
            raise fault


def _refuse(request: PageRequest, reasons: Sequence[str], count: int) -> None:
    """Return if no line was refused. Raises `FormRefused`."""
    if reasons:
        added = request.plural("One book was added.", "%(count)s books were added.", count) % {"count": count}
        detail = request.translate(_("These lines were not: %(lines)s")) % {"lines": " \u00b7 ".join(reasons)}
        raise FormRefused(FieldFault("many", f"{added} {detail}"))


async def find_same(request: PageRequest, book: TypedBook) -> Mapping[str, Any] | None:
    """Return the book on the shelf with the same ISBN, or the same title and author."""
    words = book.isbn or f"{book.title} {book.author}"[:200]
    answer = await request.api.try_get(target("/books", q=words, limit=20))
    for found in () if answer is None else answer.body:
        is_named = fold(found["title"]) == fold(book.title)
        if book.isbn or (is_named and (not book.author or fold(found["author"]) == fold(book.author))):
            return dict(found)
    return None


def _example(form: AddForm, **more: Any) -> Page:  # noqa: ANN401 (fields of the model)
    nothing: dict[str, Any] = dict.fromkeys(("known", "authors", "series", "newest"), ())
    nothing |= {"same": None, "split": None, "added": None, "isbn": "", "count": 0, "left": 0}
    return Page("add.html", AddModel(**{**nothing, **more}), form=form)


def _examples() -> Mapping[str, Page]:
    plain = {"title": "Dune", "author": "Frank Herbert", "state": "finished"}
    tile = book_tile({**plain, "id": "dune"})
    isbn = book_tile({"id": "isbn", "title": "ISBN 9780441172719", "author": ""})
    title = "The Life and Strange Surprizing Adventures of Robinson Crusoe, of York, Mariner " * 12
    long = book_tile({"id": "long", "title": title, "author": "Daniel Defoe and " * 9})
    known = Known(id="dune", title="Dune", author="Frank Herbert", state="finished", finished="2019-03")
    many = tuple(msgspec.structs.replace(tile, id=f"dune-{n}") for n in range(_NEWEST))
    long_known = Known(id="long", title=title, author=long.author, state="unread", finished="")
    return {
        "usual": _example(AddForm(), newest=(isbn, tile)),
        "empty": _example(AddForm()),
        "suggestions": _example(
            AddForm(title="Du", author="He"), known=(known,), authors=("Frank Herbert",), series=("Dune",)
        ),
        "split": _example(
            AddForm(title="Dune, Herbert"), split=Split(title="Dune", author="Herbert", done=True)
        ),
        "possible split": _example(
            AddForm(title="Stand by Me"), split=Split(title="Stand", author="Me", done=False)
        ),
        "same": _example(AddForm(title="Dune", author="Frank Herbert"), same=tile),
        "long": _example(AddForm(title=title), newest=(long,), known=(long_known,)),
        "large": _example(AddForm(), newest=many),
        "failed": _example(AddForm(), newest=None),
    }


PAGES = (
    PageRoute(
        "/books/add",
        get=show_add,
        post=add,
        form=AddForm,
        params=AddQuery,
        title=_("Add a book"),
        section="/books/add",
        examples=_examples,
    ),
)
