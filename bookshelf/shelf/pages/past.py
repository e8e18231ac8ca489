"""What pages show of the changes of the shelf: each event as a sentence, with the way to take it back."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page_request import PageRequest

_PREFIX, _SUFFIX = "shelf.", ".v1"
#: The fields of events that are the day on which something happened.
_DAYS = ("on", "finished", "started", "ended")


class ShownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its kind ("reading-finished"), its fields, the former values of changed fields, its day.

    `day` is a partial date, "" where it is unknown, and None where the event has none. `title` is that of the
    book that an entry of a list is about.
    """

    kind: str
    data: Mapping[str, Any]
    former: Mapping[str, Any] = {}
    day: str | None = None
    title: str = ""


class ShownChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one command did: its events, what it was about, and whether it can be taken back.

    `undo`: "yes", "blocked" by later changes, or "no". `undoes`: it took a change back.
    """

    id: str
    time: datetime
    address: str
    title: str
    events: tuple[ShownEvent, ...]
    undo: str
    imported: bool = False
    correlation: str = ""
    undoes: bool = False


def past_change(change: Mapping[str, Any], titles: Mapping[str, str]) -> ShownChange:
    """Return a change as the API answers it; `titles` has names of books and lists by id."""
    subject = str(change["subject"])
    former = _former(change.get("undo") or ())
    events = tuple(_past_event(event, former, titles) for event in change["events"] if not _is_hidden(event))
    correlation = str(change.get("correlation") or "")
    return ShownChange(
        id=str(change["id"]),
        time=datetime.fromisoformat(change["time"]),
        address=_address(subject, events),
        title=str(events[0].data["year"]) if _is_goal(events) else titles.get(subject, ""),
        events=events,
        undo="yes" if change.get("undo") else "blocked" if change.get("blocked_by") else "no",
        imported=correlation.startswith("import-"),
        correlation=correlation,
        undoes="undoes" in change,
    )


def _is_hidden(event: Mapping[str, Any]) -> bool:
    """Return True for the creation of up-next, which happens by itself with its first entry."""
    return event["type"] == "shelf.list-created.v1" and not event["data"]["name"]


def _is_goal(events: Sequence["ShownEvent"]) -> bool:
    return bool(events) and events[0].kind == "goal-set"


def _past_event(event: Mapping[str, Any], former: Mapping[str, Any], titles: Mapping[str, str]) -> ShownEvent:
    data = event["data"]
    days = [data[name] for name in _DAYS if name in data]
    return ShownEvent(
        kind=str(event["type"]).removeprefix(_PREFIX).removesuffix(_SUFFIX),
        data=data,
        former={name: value for name, value in former.items() if name in data},
        day=days[-1] or "" if days else None,
        title=titles.get(str(data.get("book", "")), ""),
    )


def _former(requests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values that the undo of a change restores, by field."""
    return {name: value for request in requests for name, value in (request.get("body") or {}).items()}


def _address(subject: str, events: Sequence[ShownEvent]) -> str:
    kind = events[0].kind if events else ""
    if _is_goal(events):
        return f"/stats/{events[0].data['year']}"
    if kind.startswith("list-"):
        return "/up-next" if subject.partition(":")[0] == "up-next" else f"/lists/{segment(subject)}"
    return f"/books/{segment(subject)}"


async def read_titles(
    request: PageRequest, changes: Sequence[Mapping[str, Any]], known: Mapping[str, str]
) -> dict[str, str]:
    """Return the names of the books and lists that changes are about, by id; `known` are read already."""
    books: set[str] = set()
    lists: set[str] = set()
    for change in changes:
        kinds = [str(event["type"]) for event in change["events"]]
        if any(kind.startswith(f"{_PREFIX}list-") for kind in kinds):
            lists.add(str(change["subject"]))
            books |= {str(event["data"]["book"]) for event in change["events"] if "book" in event["data"]}
        elif f"{_PREFIX}goal-set{_SUFFIX}" not in kinds:
            books.add(str(change["subject"]))
    missing = sorted(books - known.keys())
    titles = await asyncio.gather(*(_title_of_book(request, book) for book in missing))
    names = await _names_of_lists(request) if lists else {}
    return {**known, **names, **dict(zip(missing, titles, strict=True))}


async def _title_of_book(request: PageRequest, book: str) -> str:
    """Return the title of a book, removed or not; "" if it cannot be read."""
    path = f"/books/{segment(book)}"
    answer = await request.api.try_get(path)
    if answer is not None:
        return str(answer.body["title"])
    first = await request.api.try_get(target(f"{path}/history", limit=1))
    return str(first.body[0]["data"].get("title", "")) if first is not None and first.body else ""


async def _names_of_lists(request: PageRequest) -> dict[str, str]:
    answer = await request.api.try_get("/lists")
    return {} if answer is None else {str(item["id"]): str(item["name"]) for item in answer.body}
