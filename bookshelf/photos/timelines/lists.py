"""Pages of lists whose order can change while they are read, without repeated items.

The cursor has the place of the last item, and short digests of the items that the pages before have shown.
The next page begins at the place, passes over what was shown, and so has each item whose place does not
change exactly once. What has risen above the place meanwhile appears after a reload. In a list whose items
keep their places the cursor has no digests.
"""

import base64
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import BindParameter, ColumnElement, Integer, Select, bindparam

from bookshelf.cqrs.errors import Invalid
from bookshelf.storage.paging import Cursor, Key, beyond, read_cursor, write_cursor

#: How many shown items a cursor names, and the bytes of each.
SHOWN_MOST = 200
_DIGEST = 6
_NO_CURSOR = "is not a cursor; take it from a page's Link header"


class Ordered:
    """A list of the rows of a query, sorted by `columns`, downwards, and then by `row_id`.

    `moves`: an item's place can change while it is in the list. The statements are made once, because to make
    one takes longer than to run it. The query's parameters are bound by name.
    """

    def __init__(
        self,
        name: str,
        query: Select[Any],
        columns: Sequence[ColumnElement[Any]],
        row_id: ColumnElement[str],
        *,
        moves: bool = False,
    ) -> None:
        self.name = name
        self.moves = moves
        self._places = (*columns, row_id)
        self._last = [bindparam(f"last_{n}", type_=place.type) for n, place in enumerate(self._places)]
        labels = [column.label(f"key_{number}") for number, column in enumerate(columns)]
        asked = query.add_columns(*labels, row_id.label("key_id"))
        self._asked = asked.order_by(*(place.desc() for place in self._places)).limit(_bound("most"))
        self._begun = self._asked.offset(_bound("offset"))
        self._continued: dict[str, Select[Any]] = {}

    def begun(self) -> Select[Any]:
        """Return the statement for the first page. Its parameters are `most` and `offset`."""
        return self._begun

    def continued(self, dialect: str) -> Select[Any]:
        """Return the statement for the rows after a place. Its parameters are `most` and those of `place`."""
        if dialect not in self._continued:
            after = beyond(self._places, self._last, dialect, down=True)
            self._continued[dialect] = self._asked.where(after)
        return self._continued[dialect]

    def place(self, cursor: Cursor) -> dict[str, Key]:
        """Return the parameters that have the place of a cursor."""
        return {
            bind.key: value for bind, value in zip(self._last, (*cursor.key[:-1], cursor.id), strict=True)
        }

    def written(self, name: str, page: Sequence[Any], shown: Sequence[bytes]) -> str:
        """Return the cursor after a page, as text; `shown` are the digests of the pages before."""
        last = page[-1]
        digests = [*shown, *(_digest(row.key_id) for row in page)][-SHOWN_MOST:] if self.moves else []
        listed = base64.urlsafe_b64encode(b"".join(digests)).decode()
        key = tuple(getattr(last, f"key_{number}") for number in range(len(self._places) - 1))
        return write_cursor(Cursor(name, (*key, listed), last.key_id))

    def read(self, name: str, text: str) -> tuple[Cursor, list[bytes]]:
        """Return a cursor, and the digests of what was shown. Raises `Invalid`."""
        cursor = read_cursor(text, name, (*(int for _ in self._places[:-1]), str))
        if not cursor.key:
            raise Invalid(_NO_CURSOR, field="after")
        try:
            digests = base64.b64decode(str(cursor.key[-1]), altchars=b"-_", validate=True)
        except ValueError:
            raise Invalid(_NO_CURSOR, field="after") from None
        if len(digests) > SHOWN_MOST * _DIGEST or len(digests) % _DIGEST:
            raise Invalid(_NO_CURSOR, field="after")
        return cursor, [digests[start : start + _DIGEST] for start in range(0, len(digests), _DIGEST)]


class PagePlace(NamedTuple):
    """Which page is asked for: up to `rows` items after a cursor, or from an offset on."""

    rows: int
    after: str | None = None
    offset: int = 0


class RowPage(NamedTuple):
    """The rows of a page, and the cursor of the next one, if the list goes on."""

    rows: list[Any]
    after: str | None


def read_page(
    db: Any,  # noqa: ANN401 (the storage's connection)
    ordered: Ordered,
    place: PagePlace,
    values: Mapping[str, Any] | None = None,
    part: str = "",
) -> RowPage:
    """Return a page of a list, whose query has these parameters. Raises `Invalid` for a wrong cursor.

    `part` is added to the list's name in cursors. It is one statement, and one more if items that were shown
    have come down to the page.
    """
    name = ordered.name + part
    given: dict[str, Any] = dict(values or {})
    shown: list[bytes] = []
    if place.after is None:
        statement = ordered.begun()
        given["offset"] = place.offset
    else:
        cursor, shown = ordered.read(name, place.after)
        statement = ordered.continued(db.dialect.name)
        given |= ordered.place(cursor)
    known = set(shown)
    fresh: list[Any] = []
    for most in (place.rows + 1, place.rows + 1 + len(shown)):
        found = db.execute(statement, {**given, "most": most}).all()
        fresh = [row for row in found if _digest(row.key_id) not in known] if known else list(found)
        if len(fresh) > place.rows or len(found) < most:
            break
    page = fresh[: place.rows]
    return RowPage(page, ordered.written(name, page, shown) if len(fresh) > place.rows else None)


def order_of(after: str) -> str:
    """Return the name of the list that a cursor belongs to; empty for what is no cursor."""
    try:
        content = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(content, type=Cursor).order
    except (ValueError, RecursionError):
        return ""


def _bound(name: str) -> BindParameter[int]:
    return bindparam(name, type_=Integer)


def _digest(row_id: str) -> bytes:
    return blake2b(row_id.encode(), digest_size=_DIGEST).digest()
