"""The page of all passages: searched, of one book, a page at a time, and as a file of text."""

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Download, Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

#: Passages on one page, and those that are read at a time for a file.
_PAGE, _READ = 50, 500


class PassagesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which passages: with these words, of this book, from a cursor on."""

    q: str = ""
    book: str = ""
    after: str = ""


class PassageGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Passages of one book that follow one another."""

    id: str
    address: str
    alone: str
    title: str
    author: str
    passages: tuple[Mapping[str, Any], ...]


class PassagesModel(Model):
    """A page of passages by book, and how many there are. `title` is that of the one book, if asked for."""

    groups: tuple[PassageGroup, ...]
    count: int
    words: str
    book: str
    title: str
    file: str
    everything: str
    next: str | None


async def show_passages(request: PageRequest) -> Page:
    """Show a page of the passages."""
    asked: PassagesQuery = request.query
    answer = await request.api.get(_path(asked, limit=_PAGE, after=asked.after))
    title = ""
    if asked.book:
        book = await request.api.try_get(f"/books/{segment(asked.book)}")
        title = asked.book if book is None else str(book.body["title"])
    return _page(answer, asked, title)


def _path(asked: PassagesQuery, **more: Any) -> str:  # noqa: ANN401 (values of a query)
    return target("/passages", q=asked.q, book=asked.book, **more)


def _page(answer: ApiAnswer, asked: PassagesQuery, title: str = "") -> Page:
    groups = groupby(answer.body, lambda passage: str(passage["book"]))
    model = PassagesModel(
        groups=tuple(_group(book, tuple(found)) for book, found in groups),
        count=answer.total,
        words=asked.q,
        book=asked.book,
        title=title,
        file=target("/passages/text", q=asked.q, book=asked.book),
        everything=target("/passages", q=asked.q),
        next=None if answer.cursor is None else _path(asked, after=answer.cursor),
    )
    return Page("passages.html", model, live=("readings",))


def _group(book: str, passages: Sequence[Mapping[str, Any]]) -> PassageGroup:
    first = passages[0]
    return PassageGroup(
        id=f"{book}-{first['number']}",
        address=f"/books/{segment(book)}",
        alone=target("/passages", book=book),
        title=str(first["title"]),
        author=str(first["author"]),
        passages=tuple(passages),
    )


async def download_text(request: PageRequest) -> Download:
    """Return the passages as a file of text, the books by title."""
    name = f"{request.translate(_('Passages'))} {request.today.isoformat()}.txt"
    first = await request.api.get(_path(request.query, limit=_READ))
    return Download(body=_text(request, first), media_type="text/plain; charset=utf-8", name=name)


async def _text(request: PageRequest, answer: ApiAnswer) -> AsyncIterator[bytes]:
    """Yield the text of all passages, a page of the API at a time. Raises `ApiProblem`."""
    book = ""
    yield "\N{ZERO WIDTH NO-BREAK SPACE}".encode()  # editors then know the encoding
    while True:
        for passage in answer.body:
            if passage["book"] != book:
                heading = " \N{EN DASH} ".join(filter(None, (passage["title"], passage["author"])))
                yield f"{'' if not book else chr(10) * 2}{heading}\n{'=' * min(len(heading), 72)}\n".encode()
                book = passage["book"]
            yield f"\n{_lines_of(request, passage)}\n".encode()
        if answer.cursor is None:
            return
        answer = await request.api.get(_path(request.query, limit=_READ, after=answer.cursor))


def _lines_of(request: PageRequest, passage: Mapping[str, Any]) -> str:
    """Return the quotation, the note and the place of a passage, each on lines of its own."""
    quote, place = passage.get("quote"), _place(request, passage.get("progress") or {})
    return "\n".join(
        filter(None, (quote and f"\u201c{quote}\u201d", passage.get("note"), place and f"({place})"))
    )


def _place(request: PageRequest, progress: Mapping[str, Any]) -> str:
    match progress:
        case {"page": page}:
            return request.translate(_("page %(page)s")) % {"page": page}
        case {"percent": percent}:
            return f"{percent:g} %"
        case {"minutes": minutes}:
            return f"{minutes // 60}:{minutes % 60:02}"
    return ""


_QUOTES = (
    "Light is the left hand of darkness and darkness the right hand of light.",
    "It is good to have an end to journey toward; but it is the journey that matters, in the end.",
)


def _passage(number: int, book: str = "left-hand", **more: Any) -> Mapping[str, Any]:  # noqa: ANN401 (fields)
    plain = {
        "title": "The Left Hand of Darkness",
        "author": "Ursula K. Le Guin",
        "progress": {"page": 20 * number},
    }
    return {"number": number, "book": book, **plain, **more}


def _examples() -> Mapping[str, Page]:
    usual = [
        *(_passage(n, quote=quote) for n, quote in enumerate(_QUOTES, start=1)),
        _passage(
            1, "dune", title="Dune", author="Frank Herbert", note="The gom jabbar; read this page again."
        ),
    ]
    long = _passage(
        1, quote="Donaudampfschifffahrtsgesellschaft" * 20 + " word" * 900, title="The Life of " * 60
    )
    many = [
        _passage(n % 5 + 1, f"b{n // 5}", title=f"Book {n // 5}", quote=_QUOTES[n % 2]) for n in range(_PAGE)
    ]
    plain = PassagesQuery()

    def answer(passages: Sequence[Mapping[str, Any]], count: int, **headers: str) -> ApiAnswer:
        return ApiAnswer(200, {"Bookshelf-Count": str(count), **headers}, passages)

    return {
        "usual": _page(answer(usual, 3), plain),
        "empty": _page(answer([], 0), plain),
        "nothing found": _page(answer([], 0), PassagesQuery(q="tiger")),
        "long": _page(answer([long, *usual], 4), PassagesQuery(q="word " * 30)),
        "large": _page(answer(many, 10_000, Link='</passages?after=cursor>; rel="next"'), plain),
        "one book": _page(answer(usual[:2], 2), PassagesQuery(book="left-hand"), "The Left Hand of Darkness"),
    }


PAGES = (
    PageRoute(
        "/passages",
        get=show_passages,
        title=_("Passages"),
        params=PassagesQuery,
        section="/books",
        examples=_examples,
    ),
    PageRoute("/passages/text", get=download_text, params=PassagesQuery),
)
