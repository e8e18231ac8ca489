"""`bookshelf changes` lists what was done to the shelf; `bookshelf undo` takes changes back."""

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import click
import msgspec

from bookshelf.cli.client import Shelf
from bookshelf.cli.command import MENDABLE, stop
from bookshelf.cli.on_shelf import OnShelf, on_a_shelf
from bookshelf.shelf.library_files.shelf_copy import ShelfFault
from bookshelf.shelf.library_files.undoing import BLOCKED, CHANGING, LeftChange, Undoing

_PREFIX = "/bookshelf"
_CHANGES = f"{_PREFIX}/changes"
#: How often a change is read again because its book has changed since.
_TRIES = 5
_NOT_FOUND, _CHANGED, _ERROR = 404, 412, 400


@click.command()
@click.option("--book", metavar="ID", help="Only changes of this book, list or goal.")
@click.option("--correlation", metavar="ID", help="Only changes with this correlation id, like an import's.")
@click.option("--limit", type=click.IntRange(1), default=20, help="How many, at the most; 20 if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print each change as one JSON object.")
@on_a_shelf
def changes(
    book: str | None, correlation: str | None, limit: int, *, as_json: bool, on_shelf: OnShelf
) -> None:
    """List the changes of the shelf, newest first: time, id, events, and what prevents an undo."""

    async def work(client: Shelf) -> None:
        left = limit
        async for change in _listed(client, book, correlation):
            click.echo(msgspec.json.encode(change) if as_json else _line(change))
            left -= 1
            if not left:
                return

    on_shelf(work)


async def _listed(client: Shelf, book: str | None, correlation: str | None) -> Any:  # noqa: ANN401 (an async iterator of JSON)
    given = {"book": book, "correlation": correlation, "limit": "50"}
    query = {name: value for name, value in given.items() if value is not None}
    target: str | None = f"{_CHANGES}?{urlencode(query)}"
    while target is not None:
        page = await client.get(target)
        if page.status >= _ERROR:
            stop(page.detail)
        for change in page.body:
            yield change
        link = page.headers.get("Link", "")
        target = link[1 : link.index(">")] if 'rel="next"' in link else None


def _line(change: Mapping[str, Any]) -> str:
    types = ", ".join(event["type"].split(".")[1] for event in change["events"])
    blocked = change.get("blocked_by", ())
    note = f"  (prevented by {', '.join(blocked)})" if blocked else ""
    note = "  (taken back)" if change.get("undone") else note
    return f"{change['time'][:19]}  {change['id']}  {change['subject']}  {types}{note}"


@click.command()
@click.argument("change", nargs=-1)
@click.option("--correlation", metavar="ID", help="All changes with this correlation id, like an import's.")
@on_a_shelf
def undo(change: tuple[str, ...], correlation: str | None, on_shelf: OnShelf) -> None:
    """Take changes back: those named by CHANGE (`bookshelf changes` lists them), or all of a correlation id.

    A change that was taken back before counts, too. One that a later change prevents from being taken back is
    named, and left as it is; the exit code is then 2.
    """
    if bool(change) == bool(correlation):
        stop("name the changes to take back, or --correlation with the id of many")

    async def work(client: Shelf) -> None:
        undoing = Undoing(client, f"undo-{uuid4()}")
        try:
            if correlation is None:
                total = len(change)
                tried = [await undoing.take_back(each) for each in change]
                left = [each for each in tried if each is not None]
            else:
                listed = _listed(client, None, correlation)
                total, left = await undoing.take_back_all(listed, lambda _done, _all: None)
        except ShelfFault as fault:
            stop(str(fault))
        click.echo(f"{total - len(left)} of {total} changes taken back.", err=True)
        for each in left:
            click.echo(f"{each.change}: {_reason(each)}", err=True)
        if left:
            sys.exit(MENDABLE)

    on_shelf(work)


def _reason(left: LeftChange) -> str:
    """Return why a change was left as it is."""
    if left.reason == BLOCKED:
        return f"later changes prevent it: {', '.join(left.blocked_by)}"
    if left.reason == CHANGING:
        return "its book is being changed again and again; try later"
    return left.reason
