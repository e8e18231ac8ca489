"""Splits a list into pages, bounded by number and by bytes; a cursor has the last row of a page."""

import base64
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Select, Table, func, tuple_

from bookshelf.cqrs.errors import Invalid

Order = Literal[
    "added",
    "-added",
    "title",
    "-title",
    "author",
    "-author",
    "published",
    "-published",
    "finished",
    "-finished",
]

Limit = Annotated[int, Meta(ge=1, le=1000, description="how many, at the most")]
After = Annotated[str, Meta(max_length=2000, description="from the Link of the page before")]
#: Bytes of a page's JSON: a page ends at the item that reaches them, and its Link goes on after that.
PAGE_BYTES = 4 << 20
#: Rows that are fetched from the database at once.
FETCHED_ROWS = 32

_encode = msgspec.json.Encoder().encode


class Cursor(msgspec.Struct, array_like=True):
    """The last row of a page: the order of the list, the row's value in that order, and its id."""

    order: str
    value: str
    id: str


def in_order(query: Select[Any], table: Table, order: Order, after: str | None) -> Select[Any]:
    """Return the query in this order, from a cursor on; `place` is a row's value. Raises `Invalid`."""
    down = order.startswith("-")
    name = order.lstrip("-")
    value = table.c.added if name == "added" else func.lower(func.coalesce(table.c[name], ""))
    if after is not None:
        cursor = read_cursor(after, order)
        here, there = tuple_(value, table.c.id), tuple_(cursor.value, cursor.id)
        query = query.where(here < there if down else here > there)
    ordered = query.order_by(value.desc(), table.c.id.desc()) if down else query.order_by(value, table.c.id)
    return ordered.add_columns(value.label("place"))


def take_items(
    db: Any,  # noqa: ANN401 (the storage's connection)
    query: Select[Any],
    limit: int,
    render: Callable[[Any], Any],
    most_bytes: int = PAGE_BYTES,
) -> tuple[list[msgspec.Raw], Any | None]:
    """Return the JSON of up to `limit` rendered rows, and the last of them if the list goes on.

    The list of items ends early once they have `most_bytes`. Rows are fetched a few at a time.
    """
    items: list[msgspec.Raw] = []
    size, last = 0, None
    with db.execute(query.limit(limit + 1).execution_options(yield_per=FETCHED_ROWS)) as rows:
        for row in rows:
            if len(items) == limit or size >= most_bytes:
                return items, last
            item = _encode(render(row))
            items.append(msgspec.Raw(item))
            size += len(item)
            last = row
    return items, None


def write_cursor(cursor: Cursor) -> str:
    """Return a cursor as the text that a Link header has."""
    return base64.urlsafe_b64encode(_encode(cursor)).decode().rstrip("=")


def read_cursor(text: str, order: str) -> Cursor:
    """Return the cursor of a list in this order. Raises `Invalid`."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(content, type=Cursor)
    except (ValueError, RecursionError):
        raise Invalid("is not a cursor; take it from a page's Link header", field="after") from None
    if cursor.order != order:
        raise Invalid("belongs to another sort; begin again without it", field="after")
    return cursor
