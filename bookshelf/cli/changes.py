"""`bookshelf changes` lists what was done to the shelf; `bookshelf undo` takes changes back."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import click
import msgspec

from bookshelf.cli.client import NoShelf, Shelf, shelf
from bookshelf.cli.command import MENDABLE, guarded, run, stop
from bookshelf.config import read
from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.runtime.logs import configure

_PREFIX = "/bookshelf"
_CHANGES = f"{_PREFIX}/changes"
#: How often a change is read again because its book has changed since.
_TRIES = 5
_NOT_FOUND, _CHANGED, _ERROR = 404, 412, 400


def _run(url: str | None, data: str | None, work: Callable[[Shelf], Awaitable[None]]) -> None:
    """Run `work` with a client of the shelf."""
    settings = read(os.environ, data=data)
    configure("critical", settings.log_format)

    async def once() -> None:
        async with shelf(settings, url, new=False) as client:
            await work(client)

    def guard() -> None:
        try:
            run(once())
        except NoShelf as fault:
            stop(str(fault))

    guarded(guard)


_URL = click.option("--url", help="The shelf's address, like http://localhost:8000.")
_DATA = click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")


@click.command()
@click.option("--book", metavar="ID", help="Only changes of this book, list or goal.")
@click.option("--correlation", metavar="ID", help="Only changes with this correlation id, like an import's.")
@click.option("--limit", type=click.IntRange(1), default=20, help="How many, at the most; 20 if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print each change as one JSON object.")
@_URL
@_DATA
def changes(
    book: str | None, correlation: str | None, limit: int, url: str | None, data: str | None, *, as_json: bool
) -> None:
    """List the changes of the shelf, newest first: time, id, events, and what prevents an undo."""

    async def work(client: Shelf) -> None:
        left = limit
        async for change in _listed(client, book, correlation):
            click.echo(msgspec.json.encode(change) if as_json else _line(change))
            left -= 1
            if not left:
                return

    _run(url, data, work)


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
@_URL
@_DATA
def undo(change: tuple[str, ...], correlation: str | None, url: str | None, data: str | None) -> None:
    """Take changes back: those named by CHANGE (`bookshelf changes` lists them), or all of a correlation id.

    A change that was taken back before counts, too. One that a later change prevents from being taken back is
    named, and left as it is; the exit code is then 2.
    """
    if bool(change) == bool(correlation):
        stop("name the changes to take back, or --correlation with the id of many")

    async def work(client: Shelf) -> None:
        named = list(change) or [found["id"] async for found in _listed(client, None, correlation)]
        undoing = Undoing(client)
        left = [reason for one in named if (reason := await undoing.take_back(one)) is not None]
        click.echo(f"{len(named) - len(left)} of {len(named)} changes taken back.", err=True)
        for reason in left:
            click.echo(reason, err=True)
        if left:
            sys.exit(MENDABLE)

    _run(url, data, work)


class Undoing:
    """Takes changes back, one after the other, all under one correlation id."""

    def __init__(self, client: Shelf) -> None:
        self._client = client
        self._correlation = f"undo-{uuid4()}"
        self._positions: dict[str, str] = {}

    async def take_back(self, change: str) -> str | None:
        """Take one change back; return why it was left as it is, or None. Raises `NoShelf`."""
        for _ in range(_TRIES):
            seen = {"Bookshelf-After": ", ".join(self._positions.values())} if self._positions else {}
            shown = await self._client.get(f"{_CHANGES}/{quote(change, safe='')}", seen)
            if shown.status == _NOT_FOUND:
                return f"{change}: there is no such change"
            if shown.status >= _ERROR:
                return f"{change}: {shown.detail}"
            if (blocked := shown.body.get("blocked_by")) and not shown.body.get("undone"):
                return f"{change}: later changes prevent it: {', '.join(blocked)}"
            requests = [] if shown.body.get("undone") else shown.body["undo"]
            refused = await self._send_all(change, requests)
            if refused is None:
                return None
            if refused.status != _CHANGED:
                return f"{change}: {refused.detail}"
        return f"{change}: its book is being changed again and again; try later"

    async def _send_all(self, change: str, requests: list[dict[str, Any]]) -> ApiAnswer | None:
        """Send the requests of an undo; return the answer that refused one, if any."""
        for request in requests:
            headers = {
                "Idempotency-Key": str(uuid4()),
                "Bookshelf-Undoes": change,
                "Bookshelf-Correlation": self._correlation,
            }
            if request["if_match"] is not None:
                headers["If-Match"] = request["if_match"]
            target = _PREFIX + request["path"]
            answer = await self._client.send(request["method"], target, request["body"], headers)
            if answer.status >= _ERROR:
                return answer
            position = answer.headers.get("Bookshelf-Position", "")
            if position:
                self._positions[position.partition("@")[0]] = position
        return None
