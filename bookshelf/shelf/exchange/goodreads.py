"""Goodreads: My Books, Import and export, Export Library."""

from bookshelf.shelf.exchange.format import Fields, Format
from bookshelf.shelf.limits import AUTHOR_MAX


def _join_authors(fields: Fields) -> None:
    """Put the additional authors after the first, where there is room for them."""
    more = fields.get("more authors")
    if more and "author" in fields:
        together = f"{fields['author'][0]}, {more[0]}"
        if len(together) <= AUTHOR_MAX:
            fields["author"] = [together]


GOODREADS = Format(
    name="Goodreads",
    marks=frozenset({"title", "author", "bookshelves", "exclusive shelf"}),
    columns={
        "title": ("title",),
        "author": ("author", "author l f"),
        "more authors": ("additional authors",),
        "published": ("original publication year", "year published"),
        "isbn": ("isbn13", "isbn"),
        "pages": ("number of pages",),
        "tags": ("bookshelves",),
        "state": ("exclusive shelf",),
        "when": ("date read",),
        "rating": ("my rating",),
        "review": ("my review",),
        "notes": ("private notes",),
    },
    adapt=_join_authors,
    markup=True,
)
