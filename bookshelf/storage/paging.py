"""Splits a list into pages, bounded by number and by bytes; a cursor has the place of a page's last row."""

import base64
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta
from sqlalchemy import BindParameter, ColumnElement, Select, and_, func, or_, tuple_

from bookshelf.cqrs.errors import Invalid

Limit = Annotated[int, Meta(ge=1, le=1000, description="how many, at the most")]
After = Annotated[str, Meta(max_length=4000, description="from the Link of the page before")]
#: Bytes of a page's JSON: a page ends at the item that reaches them, and its Link goes on after that.
PAGE_BYTES = 4 << 20
#: Rows that are fetched from the database at once.
FETCHED_ROWS = 32
_LARGEST_INTEGER = 2**63 - 1

_encode = msgspec.json.Encoder().encode
Key = str | int | float


class Cursor(msgspec.Struct, array_like=True):
    """The last row of a page: the order of the list, the row's key in that order, and its id.

    The key is empty for a row whose value is unknown.
    """

    order: str
    key: tuple[Key, ...]
    id: str


class Sort(NamedTuple):
    """The columns that a list is sorted by before the id, and the types of their values.

    A row whose first column is null has no key, and comes last in both directions; then the others do not
    count. `start` makes a value of the first column of a client's text, if the list can start at one; it
    raises `ValueError`.
    """

    columns: tuple[ColumnElement[Any], ...]
    types: tuple[type[Any], ...]
    nullable: bool = False
    start: Callable[[str], Key | None] | None = None


class ListPage(NamedTuple):
    """The JSON of the items of a page, and the cursor of the next one, if the list goes on."""

    items: list[msgspec.Raw]
    after: str | None


def list_page(  # noqa: PLR0913 (what a page is made of)
    db: Any,  # noqa: ANN401 (the storage's connection)
    query: Select[Any],
    row_id: ColumnElement[str],
    *,
    order: str,
    sort: Sort,
    limit: int,
    render: Callable[[Any], Any],
    after: str | None = None,
    gather: Callable[[Sequence[Any]], None] | None = None,
) -> ListPage:
    """Return a page of the rows of the query, sorted by `sort`, downwards if `order` begins with a minus.

    `gather(rows)` is called once, before any row is rendered: it can query at once what all of them need.
    Raises `Invalid`.
    """
    cursor = None if after is None else read_cursor(after, order, sort.types)
    if cursor is not None and not (cursor.key or sort.nullable):
        raise Invalid("is not a cursor; take it from a page's Link header", field="after")
    labels = [column.label(f"key_{place}") for place, column in enumerate(sort.columns)]
    selects = _in_order(db, query.add_columns(*labels), row_id, order, sort, cursor)
    rows = _rows(db, selects, limit + 1)
    if gather is not None:
        rows = _gathered(list(rows), limit, gather)
    items, last = _take(rows, limit, render, PAGE_BYTES)
    if last is None:
        return ListPage(items, None)
    known = last.key_0 is not None
    key = tuple(getattr(last, label.name) for label in labels) if known else ()
    return ListPage(items, write_cursor(Cursor(order, key, last.id)))


def _in_order(
    db: Any,  # noqa: ANN401 (the storage's connection)
    query: Select[Any],
    row_id: ColumnElement[str],
    order: str,
    sort: Sort,
    cursor: Cursor | None,
) -> Iterator[Select[Any]]:
    """Yield the query for the rows with a key, then the one for the others: both can use an index."""
    down = order.startswith("-")
    first = sort.columns[0]
    places = (*sort.columns, row_id)
    if cursor is None or cursor.key:
        known = query.where(first.is_not(None)) if sort.nullable else query
        if cursor is not None:
            known = known.where(beyond(places, (*cursor.key, cursor.id), db.dialect.name, down=down))
        yield known.order_by(*(place.desc() if down else place for place in places))
    if sort.nullable:
        unknown = query.where(first.is_(None))
        if cursor is not None and not cursor.key:
            unknown = unknown.where(row_id < cursor.id if down else row_id > cursor.id)
        yield unknown.order_by(row_id.desc() if down else row_id)


def beyond(
    places: Sequence[ColumnElement[Any]],
    last: Sequence[Key | BindParameter[Any]],
    dialect: str,
    *,
    down: bool,
) -> ColumnElement[bool]:
    """Return the condition that a row comes after the last one.

    MariaDB reads the whole index for a comparison of row values, and PostgreSQL for one by OR.
    """
    if dialect != "mysql":
        here, there = tuple_(*places), tuple_(*last)
        return here < there if down else here > there
    place, value = places[0], last[0]
    strictly = place < value if down else place > value
    if len(places) == 1:
        return strictly
    others = beyond(places[1:], last[1:], dialect, down=down)
    return and_(place <= value if down else place >= value, or_(strictly, others))


def _rows(db: Any, selects: Iterable[Select[Any]], most: int) -> Generator[Any, None, None]:  # noqa: ANN401 (the storage's connection)
    left = most
    for query in selects:
        # MariaDB's driver drops the rest of a result that it fetches in parts once `render` asks something
        options = {} if db.dialect.name == "mysql" else {"yield_per": FETCHED_ROWS}
        with db.execute(query.limit(left).execution_options(**options)) as rows:
            for row in rows:
                left -= 1
                yield row
        if not left:
            return


def _gathered(
    rows: Sequence[Any], limit: int, gather: Callable[[Sequence[Any]], None]
) -> Generator[Any, None, None]:
    gather(rows[:limit])
    yield from rows


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
    return _take(_rows(db, [query], limit + 1), limit, render, most_bytes)


def _take(
    rows: Generator[Any, None, None], limit: int, render: Callable[[Any], Any], most_bytes: int
) -> tuple[list[msgspec.Raw], Any | None]:
    items: list[msgspec.Raw] = []
    size, last = 0, None
    with closing(rows):
        for row in rows:
            if len(items) == limit or size >= most_bytes:
                return items, last
            item = _encode(render(row))
            items.append(msgspec.Raw(item))
            size += len(item)
            last = row
    return items, None


def count_rows(db: Any, query: Select[Any]) -> int:  # noqa: ANN401 (the storage's connection)
    """Return the number of rows of a query without order and limit."""
    return int(db.scalar(query.with_only_columns(func.count(), maintain_column_froms=True)))


def write_cursor(cursor: Cursor) -> str:
    """Return a cursor as the text that a Link header has."""
    return base64.urlsafe_b64encode(_encode(cursor)).decode().rstrip("=")


def read_cursor(text: str, order: str, types: Sequence[type[Any]]) -> Cursor:
    """Return the cursor of a list in this order, whose key has these types or is empty. Raises `Invalid`."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(content, type=Cursor)
    except (ValueError, RecursionError):
        raise Invalid("is not a cursor; take it from a page's Link header", field="after") from None
    if cursor.order != order:
        raise Invalid("belongs to another sort; begin again without it", field="after")
    if cursor.key and not _has_types(cursor.key, types):
        raise Invalid("is not a cursor; take it from a page's Link header", field="after")
    return cursor


def _has_types(key: tuple[Key, ...], types: Sequence[type[Any]]) -> bool:
    return len(key) == len(types) and all(
        isinstance(value, int) and abs(value) <= _LARGEST_INTEGER
        if kind is int
        else isinstance(value, kind | int if kind is float else kind)
        for value, kind in zip(key, types, strict=True)
    )
