"""Our own export: its columns, its guard against formulas, and its lists of tags.

A spreadsheet runs a cell that begins with =, +, -, @, a tab or a line end as a
formula (OWASP, CSV injection). Such a cell gets one apostrophe before it, and
so does a cell that begins with apostrophes before one of these; the import
takes just one away again. Every value comes back as it was, and 'Tis stays 'Tis.
"""

import re
from collections.abc import Iterable

from bookshelf.shelf.exchange.format import Fields, Format

COLUMNS = (
    "title",
    "author",
    "published",
    "isbn",
    "pages",
    "language",
    "tags",
    "notes",
    "state",
    "finished",
    "rating",
    "review",
    "added",
    "id",
)

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_TAG = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,;]*?))\s*(?:[,;]|$)')
_PLAIN = re.compile(r'[^\s,;"](?:[^,;"]*[^\s,;"])?')


def guarded(cell: str) -> str:
    """Answer the cell so that no spreadsheet runs it."""
    return "'" + cell if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Answer the cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def join_tags(tags: Iterable[str]) -> str:
    """Answer one cell; a tag with a separator, a quote or spaces around it is quoted."""
    return ", ".join(tag if _PLAIN.fullmatch(tag) else _quoted(tag) for tag in tags)


def split_tags(cell: str) -> list[str]:
    """Answer the tags that `join_tags` put into the cell, or a person after it."""
    found = (
        quoted.replace('""', '"') if quoted is not None else plain
        for quoted, plain in (match.groups() for match in _TAG.finditer(cell))
    )
    return [tag for tag in found if tag]


def _quoted(tag: str) -> str:
    doubled = tag.replace('"', '""')
    return f'"{doubled}"'


def _unguard(fields: Fields) -> None:
    for name, values in fields.items():
        fields[name] = [unguarded(value) for value in values]


OWN = Format(
    name="Bookshelf",
    marks=frozenset({"title", "author", "state", "added"}),
    columns={
        "title": ("title",),
        "author": ("author",),
        "published": ("published",),
        "isbn": ("isbn",),
        "pages": ("pages",),
        "language": ("language",),
        "tags": ("tags",),
        "notes": ("notes",),
        "state": ("state",),
        "when": ("finished",),
        "rating": ("rating",),
        "review": ("review",),
    },
    split_tags=split_tags,
    adapt=_unguard,
    exact=True,
)
