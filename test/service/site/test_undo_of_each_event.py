"""Each kind of event is taken back with the button of its change, and the shelf is as it was before it."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.events import EVENTS
from bookshelf.shelf.pages.site import SITE

Step = tuple[str, str, Any]
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
COVER = {"digest": DIGEST, "width": 400, "height": 600, "colour": "#804020"}
START: Step = ("POST", "/books/b/readings", {"started": "2026-01"})
PROGRESS: Step = ("POST", "/books/b/readings/current/progress", {"progress": {"page": 20}})
FINISH: Step = ("POST", "/books/b/readings/current/finished", {"finished": "2026-02", "stars": 4.5})
PAUSE: Step = ("POST", "/books/b/readings/current/paused", {"on": "2026-02"})
PASSAGE: Step = ("POST", "/books/b/passages", {"quote": "Fear is the mind-killer."})
LIST: Step = ("POST", "/lists", {"id": "l", "name": "Holidays"})
ENTRY: Step = ("PUT", "/lists/l/books/b", {})
OTHER: Step = ("PUT", "/lists/l/books/c", {})
#: The commands before, and the command whose event is taken back.
CASES: Mapping[str, tuple[Step, ...]] = {
    "book-added": (("POST", "/books", {"id": "d", "title": "Emma", "author": "Jane Austen"}),),
    "book-changed": (("PATCH", "/books/b", {"title": "Dune Messiah", "tags": ["desert"], "pages": 412}),),
    "book-removed": (("DELETE", "/books/b", None),),
    "book-restored": (("DELETE", "/books/b", None), ("POST", "/books/b/restored", None)),
    "cover-set": (("PUT", "/books/b/cover", COVER),),
    "cover-removed": (("PUT", "/books/b/cover", COVER), ("DELETE", "/books/b/cover", None)),
    "reading-started": (START,),
    "reading-progressed": (START, PROGRESS),
    "progress-removed": (START, PROGRESS, ("DELETE", "/books/b/readings/1/progress/1", None)),
    "reading-paused": (START, PAUSE),
    "reading-resumed": (START, PAUSE, ("POST", "/books/b/readings/current/resumed", {"on": "2026-03"})),
    "reading-finished": (START, FINISH),
    "reading-abandoned": (START, ("POST", "/books/b/readings/current/abandoned", {"reason": "too long"})),
    "reading-corrected": (START, FINISH, ("PATCH", "/books/b/readings/1", {"started": "2025-12"})),
    "reading-reopened": (START, FINISH, ("POST", "/books/b/readings/1/reopened", None)),
    "reading-removed": (START, FINISH, ("DELETE", "/books/b/readings/1", None)),
    "reading-restored": (
        *(START, FINISH, ("DELETE", "/books/b/readings/1", None)),
        ("POST", "/books/b/readings/1/restored", None),
    ),
    "book-rated": (("PUT", "/books/b/rating", {"stars": 3}), ("PUT", "/books/b/rating", {"stars": 4.25})),
    "book-reviewed": (("PUT", "/books/b/review", {"text": "The sleeper must awaken.", "spoiler": True}),),
    "passage-added": (PASSAGE,),
    "passage-changed": (PASSAGE, ("PATCH", "/books/b/passages/1", {"note": "page 8"})),
    "passage-removed": (PASSAGE, ("DELETE", "/books/b/passages/1", None)),
    "list-created": (LIST,),
    "list-renamed": (LIST, ("PATCH", "/lists/l", {"name": "Summer"})),
    "list-removed": (LIST, ENTRY, ("DELETE", "/lists/l", None)),
    "list-restored": (LIST, ENTRY, ("DELETE", "/lists/l", None), ("POST", "/lists/l/restored", None)),
    "list-entry-added": (LIST, OTHER, ENTRY),
    "list-entry-moved": (LIST, ENTRY, OTHER, ("PUT", "/lists/l/books/c", {"after": None})),
    "list-entry-removed": (LIST, OTHER, ENTRY, ("DELETE", "/lists/l/books/c", None)),
    "goal-set": (("PUT", "/goals/2026", {"books": 12}), ("PUT", "/goals/2026", {"books": 24, "pages": 9000})),
}
#: Events that no request makes any more, or that come with others when a list has no room between two places.
ELSEWHERE = {"book-finished", "list-reordered"}
#: What an undo leaves: when and how often something was changed, and a new number for what is put back.
VOLATILE = {"number", "entry", "changed", "version", "added", "created", "updated", "time"}
SEEN = (
    *("/books/b", "/books/b/readings", "/books/b/passages", "/books/d", "/lists", "/lists/l"),
    *("/goals", "/stats", "/books?limit=10", "/readings?entries=true"),
)


def test_each_event_of_the_shelf_has_a_case() -> None:
    kinds = {event.TYPE.split(".")[1] for event in EVENTS}
    assert kinds == {*CASES, *ELSEWHERE}


async def seen(shelf: Shelf) -> dict[str, Any]:
    """Return what the shelf answers, without what counts or dates changes."""
    await shelf.caught_up()
    answers = {path: await shelf.send("GET", path) for path in SEEN}
    return {
        path: _lasting(answer.json) if answer.status == 200 else answer.status
        for path, answer in answers.items()
    }


def _lasting(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        return {name: _lasting(item) for name, item in value.items() if name not in VOLATILE}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", CASES)
async def test_an_event_is_taken_back(kind: str) -> None:
    async with Shelf() as shelf:
        pages = Pages(SITE, ShelfApi(shelf), shelf.clock)
        for book in ("b", "c"):
            await shelf.add(id=book)
        *before, last = CASES[kind]
        for method, path, body in before:
            assert (await shelf.send(method, path, body)).status < 300, path
        former = await seen(shelf)
        done = await shelf.send(*last)
        assert done.status < 300, done.body
        await shelf.caught_up()
        change = (await shelf.send("GET", f"/changes/{done.headers['Bookshelf-Change']}")).json
        assert [event["type"] for event in change["events"]] == [f"shelf.{kind}.v1"]
        assert await seen(shelf) != former or kind == "cover-set"
        page = await pages.get("/changes")
        assert f'name="change" value="{change["id"]}"' in page.html
        back = await pages.submit("/changes", {"change": change["id"], "_version": change["id"]})
        assert "Taken back." in back.words
        assert await seen(shelf) == former
