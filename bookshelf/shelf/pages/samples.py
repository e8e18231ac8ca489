"""Twelve books to try the site with: works in the public domain, some of them read or on up next."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import msgspec

from bookshelf.shelf.pages.bulk import Item, correlation_of, is_done, item, send_bulk
from bookshelf.site.page_request import PageRequest

#: The books as request bodies; `ids` names their text at Project Gutenberg.
SAMPLES: Sequence[Mapping[str, Any]] = msgspec.json.decode(
    (files("bookshelf.shelf.pages") / "samples.json").read_bytes()
)
#: The tag of the books, by which the site finds them; only the books in the file are removed.
TAG = "sample"
_IDS = frozenset(book["id"] for book in SAMPLES)
#: Open readings: days since the start, and the entries: days ago, and how far.
_OPEN: Mapping[str, tuple[int, Sequence[tuple[int, Mapping[str, Any]]]]] = {
    "sample-moby-dick": (9, ((8, {"page": 48}), (5, {"page": 131}), (2, {"page": 214}), (1, {"page": 262}))),
    "sample-frankenstein": (3, ((3, {"percent": 9}), (2, {"percent": 18}), (0, {"percent": 31}))),
}
#: Finished readings: days since the start and the end, and the stars.
_FINISHED: Mapping[str, tuple[int, int, float]] = {
    "sample-alice": (13, 11, 4.5),
    "sample-sherlock-holmes": (39, 28, 5),
    "sample-time-machine": (52, 50, 4),
    "sample-verwandlung": (71, 70, 4.5),
}
_UP_NEXT = ("sample-middlemarch", "sample-dracula", "sample-dorian-gray", "sample-room-with-a-view")


async def add_samples(request: PageRequest) -> str:
    """Add the books with their readings; return the correlation id of the changes.

    Books that were removed are put back as they were. Raises `ApiProblem`.
    """
    correlation = correlation_of(request)
    add = [item("POST", "/books", book) for book in reversed(SAMPLES)]
    results = await send_bulk(request, "/books/bulk", add, correlation)
    added = {str(result["id"]) for result in results if is_done(result)}
    back = [item("POST", f"/books/{name}/restored") for name in sorted(_IDS - added)]
    await send_bulk(request, "/books/bulk", back, correlation)
    readings = [command for command in _readings(request.today) if command["path"].split("/")[2] in added]
    await send_bulk(request, "/readings/bulk", readings, correlation)
    listed = [name for name in _UP_NEXT if name in added]
    entries = [
        item("PUT", f"/lists/up-next/books/{name}", {"after": before})
        for name, before in zip(listed, (None, *listed), strict=False)
    ]
    await send_bulk(request, "/lists/bulk", entries, correlation)
    return correlation


async def remove_samples(request: PageRequest) -> str:
    """Remove the books that are still there; return the correlation id. Raises `ApiProblem`."""
    correlation = correlation_of(request)
    await send_bulk(
        request, "/books/bulk", [item("DELETE", f"/books/{name}") for name in sorted(_IDS)], correlation
    )
    return correlation


def count_samples(books: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of these books are samples."""
    return sum(book["id"] in _IDS for book in books)


def is_sample(book: str) -> bool:
    """Return True for the id of a sample book."""
    return book in _IDS


def _readings(today: date) -> list[Item]:
    def ago(days: int) -> str:
        return (today - timedelta(days=days)).isoformat()

    commands = []
    for name, (started, ended, stars) in _FINISHED.items():
        body = {"end": "finished", "started": ago(started), "ended": ago(ended), "stars": stars}
        commands.append(item("POST", f"/books/{name}/readings", body))
    for name, (started, entries) in _OPEN.items():
        commands.append(item("POST", f"/books/{name}/readings", {"started": ago(started)}))
        commands += [
            item("POST", f"/books/{name}/readings/current/progress", {"on": ago(days), "progress": dict(far)})
            for days, far in entries
        ]
    return commands
