"""Adding books: by title and author, by ISBN, or many from a pasted list; duplicates are offered first."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bookshelf.shelf.isbn import is_isbn10, is_isbn13, to_isbn13
from bookshelf.shelf.limits import AUTHOR_MAX, TITLE_MAX
from bookshelf.shelf.pages.bulk import correlation_of, is_done, item, send_bulk
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.search_text import fold
from bookshelf.site.api_adapters import FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {
    "added": _("Added."),
    "added-many": _("Added the books of the list."),
}
#: Books that were added last, and lines of a pasted list.
_NEWEST, _LINES = 12, 500
_ISBN = re.compile(r"(?:ISBN[\s:-]*)?([0-9][0-9\s-]{8,16}[0-9Xx])", re.IGNORECASE)
_BY = re.compile(r"(.+)\s+(?:by|von)\s+(\S.*)", re.IGNORECASE)
_ISBN10, _ISBN13 = 10, 13


class TypedBook(msgspec.Struct, frozen=True, kw_only=True):
    """A book as it was typed: its title, its author ("" if it is not known), and its ISBN."""

    title: str
    author: str = ""
    isbn: str = ""

    def to_body(self) -> dict[str, Any]:
        """Return the body of the request that adds it."""
        known: dict[str, Any] = {"author": self.author} if self.author else {"contributors": []}
        return {"title": self.title, **known, **({"isbn": self.isbn} if self.isbn else {})}


class AddQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed so far, and the id of a book on the shelf that is the same."""

    title: str = ""
    author: str = ""
    isbn: str = ""
    same: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A book on the shelf whose title begins like what is typed."""

    id: str
    title: str
    author: str
    state: str
    finished: str


class AddModel(Model):
    """What the page shows: suggestions, the same book on the shelf, and the books that were added last.

    `authors` and `series` are names of the reader's own books. `isbn` is that of the book to add.
    """

    known: tuple[Known, ...]
    authors: tuple[str, ...]
    series: tuple[str, ...]
    same: BookTile | None
    isbn: str
    newest: tuple[BookTile, ...] | None


class AddForm(Form):
    """A book, or a pasted list. `anyway`: it is added although the same one is on the shelf."""

    title: str = ""
    author: str = ""
    isbn: str = ""
    many: str = ""
    anyway: bool = False


async def show_add(request: PageRequest) -> Page:
    """Show the form, suggestions for what is typed, and the books that were added last."""
    asked: AddQuery = request.query
    newest, known, suggested, same = await asyncio.gather(
        request.api.try_get(target("/books", sort="-added", limit=_NEWEST)),
        _known(request, asked.title),
        _suggest(request, asked.author),
        _same(request, asked.same),
    )
    model = AddModel(
        known=known if same is None else (),
        authors=_names(suggested, "author"),
        series=_names(suggested, "series"),
        same=same,
        isbn=asked.isbn,
        newest=None if newest is None else tuple(map(book_tile, newest.body)),
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


async def _same(request: PageRequest, name: str) -> BookTile | None:
    answer = await request.api.try_get(f"/books/{segment(name)}") if name else None
    return None if answer is None else book_tile(answer.body)


async def add(request: PageRequest, form: AddForm) -> Redirect:
    """Add a book, or those of a list. Raises `FormRefused`, `ApiProblem`."""
    if form.many.strip():
        return await _add_many(request, form.many)
    book = read_book(request, form.title, form.author)
    if form.isbn and not book.isbn:
        book = msgspec.structs.replace(book, isbn=form.isbn)
    if not form.anyway and (same := await find_same(request, book)) is not None:
        again = target("/books/add", title=book.title, author=book.author, isbn=book.isbn, same=same["id"])
        return Redirect(again)
    done = await request.api.post("/books", book.to_body())
    return Redirect("/books/add", notice="added", change=done.change)


async def _add_many(request: PageRequest, text: str) -> Redirect:
    """Add the books of a pasted list, one a line; those that are on the shelf are left out."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES:
        detail = request.translate(_("Paste %(most)s lines at most; use Import for more.")) % {"most": _LINES}
        raise FormRefused(FieldFault("many", detail))
    books = [read_book(request, line, "", "many") for line in dict.fromkeys(lines)]
    same = await asyncio.gather(*(find_same(request, book) for book in books))
    new = [book for book, found in zip(books, same, strict=True) if found is None]
    correlation = correlation_of(request)
    items = [item("POST", "/books", book.to_body()) for book in new]
    results = await send_bulk(request, "/books/bulk", items, correlation)
    refused = [book.title for book, result in zip(new, results, strict=True) if not is_done(result)]
    if refused:
        detail = request.translate(_("These were not added: %(titles)s")) % {"titles": "; ".join(refused[:5])}
        raise FormRefused(FieldFault("many", detail))
    return Redirect("/books/add", notice="added-many", correlation=correlation)


def read_book(request: PageRequest, text: str, author: str, field: str = "title") -> TypedBook:
    """Return the book of a typed line: an ISBN, "Title by Author", "Title, Author", or a title.

    Raises `FormRefused`.
    """
    text = " ".join(text.split())
    if not text:
        raise FormRefused(FieldFault(field, request.translate(_("Write a title or an ISBN."))))
    if found := _ISBN.fullmatch(text):
        digits = re.sub(r"[\s-]", "", found[1]).upper()
        if not is_isbn(digits):
            detail = request.translate(_("%(isbn)s is no ISBN: its check digit is wrong."))
            raise FormRefused(FieldFault(field, detail % {"isbn": found[1]}))
        return TypedBook(title=f"ISBN {to_isbn13(digits)}", author=author, isbn=digits)
    title, written = (text, author) if author else split_author(text)
    _check_length(request, field, title, TITLE_MAX)
    _check_length(request, "author" if field == "title" else field, written, AUTHOR_MAX)
    return TypedBook(title=title, author=written)


def _check_length(request: PageRequest, field: str, text: str, most: int) -> None:
    if len(text) > most:
        detail = request.translate(_("Write %(most)s characters at most.")) % {"most": most}
        raise FormRefused(FieldFault(field, detail))


def split_author(text: str) -> tuple[str, str]:
    """Return the title and the author of a line like "Dune by Herbert" or "Dune, Herbert"."""
    if found := _BY.fullmatch(text):
        return found[1].strip(" ,"), found[2]
    title, comma, author = text.rpartition(",")
    return (title.strip(), author.strip()) if comma and title.strip() and author.strip() else (text, "")


def is_isbn(digits: str) -> bool:
    """Return True if the check digit of an ISBN without hyphens fits."""
    if len(digits) == _ISBN10:
        return is_isbn10(digits)
    return len(digits) == _ISBN13 and digits.isdigit() and is_isbn13(digits)


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
    nothing = {"known": (), "authors": (), "series": (), "same": None, "isbn": "", "newest": ()}
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
