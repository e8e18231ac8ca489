"""The covers of books: an uploaded picture, else one that is generated from title, author and series."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bookshelf.covers.drawing import GeneratedCover, draw_cover, palette_for
from bookshelf.shelf.languages import language_tag


def generate_cover(book: Mapping[str, Any], *, ribbon: bool = False) -> GeneratedCover:
    """Return the cover of a book as the API answers it; `ribbon`: a ribbon hangs over its right side."""
    image = book.get("cover") or {}
    series: Sequence[Mapping[str, Any]] = book.get("series") or ()
    cover = draw_cover(
        book.get("title") or "",
        first_author(book),
        series=series[0]["name"] if series else "",
        number=(series[0].get("number") or "") if series else "",
        language=language_tag(book.get("language")),
        ribbon=ribbon,
    )
    uploaded = {"digest": image.get("digest", ""), "colour": image.get("colour", "")}
    return msgspec.structs.replace(cover, **uploaded) if image else cover


def palette_of(book: Mapping[str, Any]) -> int:
    """Return the number of the palette of a book's author, of its title if there is no author."""
    return palette_for(book.get("title") or "", first_author(book))


def first_author(book: Mapping[str, Any]) -> str:
    """Return the name of the first author, else that of the first contributor, else ""."""
    people: Sequence[Mapping[str, Any]] = book.get("contributors") or ()
    authors = [person for person in people if person.get("role", "author") == "author"] or people
    return str(authors[0]["name"]) if authors else book.get("author") or ""
