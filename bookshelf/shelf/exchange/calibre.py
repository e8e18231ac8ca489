"""Calibre: Convert books, Create a catalog, CSV (calibre's catalogs/csv_xml.py).

Its ratings are already stars, 0 to 5: the catalog halves what the database
holds. Its isbn column has lost a final X, which `identifiers` still has.
Whether a book was read is in no column of its own, but in many a custom one
(#read, #date_read).
"""

import re

from bookshelf.shelf.exchange.format import Fields, Format
from bookshelf.shelf.exchange.isbn import holds

_IDENTIFIER = re.compile(r"(?:^|,)\s*isbn:\s*([^,]+)", re.IGNORECASE)
_UNKNOWN_DATE = "0101-"
_DATE = len("1965-08-01")
_NINE_DIGITS = re.compile(r"\d{9}")


def _mend(fields: Fields) -> None:
    if "author" in fields:
        fields["author"] = [fields["author"][0].replace(" & ", ", ")]
    if "language" in fields:
        fields["language"] = [fields["language"][0].split(",")[0]]
    if "published" in fields and fields["published"][0].startswith(_UNKNOWN_DATE):
        del fields["published"]
    elif "published" in fields:
        fields["published"] = [fields["published"][0][:_DATE]]
    _mend_isbn(fields)


def _mend_isbn(fields: Fields) -> None:
    found = fields.pop("isbn", [])
    named = [isbn for text in fields.pop("identifiers", []) for isbn in _IDENTIFIER.findall(text)]
    if values := [*named, *map(_with_x, found)]:
        fields["isbn"] = values


def _with_x(isbn: str) -> str:
    return isbn + "X" if _NINE_DIGITS.fullmatch(isbn) and holds(isbn + "X") else isbn


CALIBRE = Format(
    name="Calibre",
    marks=frozenset({"title", "authors", "timestamp", "uuid"}),
    columns={
        "title": ("title",),
        "author": ("authors", "author sort"),
        "published": ("pubdate",),
        "isbn": ("isbn",),
        "identifiers": ("identifiers",),
        "pages": ("pages", "page count", "number of pages"),
        "language": ("languages",),
        "tags": ("tags",),
        "notes": ("comments",),
        "state": ("status", "read status", "reading status"),
        "read": ("read", "finished", "is read"),
        "when": ("date read", "dateread", "read date", "date finished"),
        "rating": ("rating",),
        "review": ("my review", "review"),
    },
    adapt=_mend,
    markup=True,
)
