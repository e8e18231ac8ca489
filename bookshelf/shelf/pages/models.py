"""What several templates show of a book, made from the API's answers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shelf.languages import language_tag
from bookshelf.shelf.pages.covers import generate_cover


class BookTile(msgspec.Struct, frozen=True, kw_only=True):
    """A book on a shelf: its texts, its stars (None without), its state, and its cover."""

    id: str
    title: str
    author: str
    language: str
    stars: float | None
    state: str
    cover: GeneratedCover


def book_tile(book: Mapping[str, Any]) -> BookTile:
    """Return what a shelf shows of a book as the API answers it."""
    state = str(book.get("state") or "unread")
    language = language_tag(book.get("language"))
    rating = book.get("stars", book.get("rating"))
    return BookTile(
        id=str(book["id"]),
        title=str(book["title"]),
        author=str(book["author"]),
        language=language,
        stars=None if rating is None else float(rating),
        state=state,
        cover=generate_cover(book, ribbon=state == "reading"),
    )
