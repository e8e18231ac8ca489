"""Pages of a sorted table: each goes on after the last row of the one before, whatever was added since."""

import base64
from typing import Any, Literal

import msgspec
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


class _Cursor(msgspec.Struct, array_like=True):
    order: str
    value: str
    id: str


def page(
    db: Any,  # noqa: ANN401 (the storage's connection)
    query: Select[Any],
    table: Table,
    order: Order,
    after: str | None,
    limit: int,
) -> tuple[list[Any], str | None]:
    """Return up to `limit` rows after the cursor, and the cursor of the next page. Raises `Invalid`."""
    down = order.startswith("-")
    name = order.lstrip("-")
    value = table.c.added if name == "added" else func.lower(func.coalesce(table.c[name], ""))
    if after is not None:
        cursor = _read(after, order)
        here, there = tuple_(value, table.c.id), tuple_(cursor.value, cursor.id)
        query = query.where(here < there if down else here > there)
    ordered = query.order_by(value.desc(), table.c.id.desc()) if down else query.order_by(value, table.c.id)
    rows = db.execute(ordered.add_columns(value.label("place")).limit(limit + 1)).all()
    more = len(rows) > limit
    return list(rows[:limit]), _write(order, rows[limit - 1]) if more else None


def _write(order: str, row: Any) -> str:  # noqa: ANN401 (a row of the query)
    cursor = msgspec.json.encode(_Cursor(order, row.place, row.id))
    return base64.urlsafe_b64encode(cursor).decode().rstrip("=")


def _read(text: str, order: str) -> _Cursor:
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(content, type=_Cursor)
    except (ValueError, RecursionError):
        raise Invalid("is not a cursor; take it from a page's Link header", field="after") from None
    if cursor.order != order:
        raise Invalid("belongs to another sort; begin again without it", field="after")
    return cursor
