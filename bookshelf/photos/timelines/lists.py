"""Pages of lists whose order can change while they are read, without repeated items.

The cursor has the place of the last item, and short digests of the items that the pages before have shown.
The next page begins at the place, passes over what was shown, and so has each item whose place does not
change exactly once. What has risen above the place meanwhile appears after a reload.
"""

import base64
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select

from bookshelf.cqrs.errors import Invalid
from bookshelf.storage.paging import Cursor, beyond, read_cursor, write_cursor

#: How many shown items a cursor names, and the bytes of each.
SHOWN_MOST = 200
_DIGEST = 6
_NO_CURSOR = "is not a cursor; take it from a page's Link header"


class Ordered(NamedTuple):
    """A list: its name in cursors, and the columns that it is sorted by, downwards, before `row_id`."""

    name: str
    columns: tuple[ColumnElement[Any], ...]
    row_id: ColumnElement[str]


class PagePlace(NamedTuple):
    """Which page is asked for: up to `rows` items after a cursor, or from an offset on."""

    rows: int
    after: str | None = None
    offset: int = 0


class RowPage(NamedTuple):
    """The rows of a page, and the cursor of the next one, if the list goes on."""

    rows: list[Any]
    after: str | None


def read_page(db: Any, query: Select[Any], ordered: Ordered, place: PagePlace) -> RowPage:  # noqa: ANN401 (the storage's connection)
    """Return a page of the rows of a query, by one statement. Raises `Invalid` for a wrong cursor."""
    labels = [column.label(f"key_{number}") for number, column in enumerate(ordered.columns)]
    places = (*ordered.columns, ordered.row_id)
    asked = query.add_columns(*labels, ordered.row_id.label("key_id"))
    asked = asked.order_by(*(column.desc() for column in places))
    shown: list[bytes] = []
    if place.after is not None:
        cursor, shown = _read(place.after, ordered)
        asked = asked.where(beyond(places, (*cursor.key[:-1], cursor.id), db.dialect.name, down=True))
    elif place.offset:
        asked = asked.offset(place.offset)
    found = db.execute(asked.limit(place.rows + len(shown) + 1)).all()
    known = set(shown)
    fresh = [row for row in found if _digest(row.key_id) not in known]
    page = fresh[: place.rows]
    if len(fresh) <= place.rows:
        return RowPage(page, None)
    return RowPage(page, _write(ordered, page, shown))


def order_of(after: str) -> str:
    """Return the name of the list that a cursor belongs to; empty for what is no cursor."""
    try:
        content = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(content, type=Cursor).order
    except (ValueError, RecursionError):
        return ""


def _read(text: str, ordered: Ordered) -> tuple[Cursor, list[bytes]]:
    types: Sequence[type[Any]] = (*(int for _ in ordered.columns), str)
    cursor = read_cursor(text, ordered.name, types)
    if not cursor.key:
        raise Invalid(_NO_CURSOR, field="after")
    try:
        digests = base64.b64decode(str(cursor.key[-1]), altchars=b"-_", validate=True)
    except ValueError:
        raise Invalid(_NO_CURSOR, field="after") from None
    if len(digests) > SHOWN_MOST * _DIGEST or len(digests) % _DIGEST:
        raise Invalid(_NO_CURSOR, field="after")
    return cursor, [digests[start : start + _DIGEST] for start in range(0, len(digests), _DIGEST)]


def _write(ordered: Ordered, page: Sequence[Any], shown: Sequence[bytes]) -> str:
    last = page[-1]
    digests = [*shown, *(_digest(row.key_id) for row in page)][-SHOWN_MOST:]
    listed = base64.urlsafe_b64encode(b"".join(digests)).decode()
    key = tuple(getattr(last, f"key_{number}") for number in range(len(ordered.columns)))
    return write_cursor(Cursor(ordered.name, (*key, listed), last.key_id))


def _digest(row_id: str) -> bytes:
    return blake2b(row_id.encode(), digest_size=_DIGEST).digest()
