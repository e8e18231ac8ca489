"""StoryGraph: Manage account, Export StoryGraph library."""

from bookshelf.shelf.exchange.format import Format

STORYGRAPH = Format(
    name="StoryGraph",
    marks=frozenset({"title", "authors", "isbn uid", "read status"}),
    columns={
        "title": ("title",),
        "author": ("authors",),
        "isbn": ("isbn uid",),
        "tags": ("tags",),
        "state": ("read status",),
        "when": ("last date read", "dates read"),
        "rating": ("star rating",),
        "review": ("review",),
    },
    markup=True,
)
