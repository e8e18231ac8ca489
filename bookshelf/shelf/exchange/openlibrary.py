"""Open Library: the reading log of My Books, Import & export.

Its columns are in ReadingLogExport of openlibrary/plugins/upstream/account.py.
It has no ISBNs and no read dates.
"""

from bookshelf.shelf.exchange.format import Fields, Format

_BAR = " | "


def _name_authors(fields: Fields) -> None:
    if "author" in fields:
        fields["author"] = [fields["author"][0].replace(_BAR, ", ")]


def _split_subjects(cell: str) -> list[str]:
    return cell.split(_BAR)


OPEN_LIBRARY = Format(
    name="Open Library",
    marks=frozenset({"work id", "title", "authors", "bookshelf"}),
    columns={
        "title": ("title",),
        "author": ("authors",),
        "published": ("first publish year",),
        "tags": ("subjects",),
        "state": ("bookshelf",),
        "rating": ("my ratings",),
    },
    split_tags=_split_subjects,
    adapt=_name_authors,
)
