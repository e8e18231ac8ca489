"""The requests on readings, stars, reviews and passages, as a client sends them."""

from typing import Any

import pytest
from support.shelf import Shelf

TODAY = "2026-03-01"


async def answered(shelf: Shelf, method: str, target: str, body: Any = None, status: int = 204) -> Any:  # noqa: ANN401 (JSON)
    answer = await shelf.send(method, target, body)
    assert answer.status == status, answer.body
    return answer.json if answer.body else None


async def test_a_reading_from_start_to_finish(shelf: Shelf) -> None:
    book = f"/books/{(await shelf.add(pages=412))['id']}"
    started = await shelf.send("POST", f"{book}/readings", {"format": "ebook"})
    assert (started.status, started.headers["Location"]) == (201, f"{book}/readings/1")
    assert started.json == {"number": 1, "started": TODAY, "end": "open", "format": "ebook"}
    current = f"{book}/readings/current"
    body = {"progress": {"page": 103}, "note": "Worms!", "on": "2026-02-28"}
    noted = await shelf.send("POST", f"{current}/progress", body)
    assert (noted.status, noted.headers["Location"]) == (201, f"{book}/readings/1/progress/1")
    assert noted.json == {
        "reading": 1,
        "entry": 1,
        "progress": {"page": 103, "of": 412},
        "on": "2026-02-28",
        "note": "Worms!",
    }
    await answered(shelf, "POST", f"{current}/progress", {"progress": {"percent": 33.5}}, 201)
    await answered(shelf, "DELETE", f"{current}/progress/2")
    await answered(shelf, "POST", f"{current}/paused")
    corrected = await answered(shelf, "PATCH", current, {"started": "2026-02"}, 200)
    assert (corrected["started"], corrected["paused"]) == ("2026-02", True)
    await answered(shelf, "POST", f"{current}/resumed", {"on": None})
    await answered(shelf, "PUT", f"{book}/rating", {"stars": 4.25})
    await answered(shelf, "POST", f"{current}/finished", {"review": "Sand."})
    await answered(shelf, "PUT", f"{book}/review", {"text": "Spice.", "spoiler": True, "reading": 1})
    assert await answered(shelf, "PATCH", f"{book}/readings/1", {}, 200) == {
        "number": 1,
        "started": "2026-02",
        "ended": TODAY,
        "end": "finished",
        "format": "ebook",
        "stars": 4.25,
        "review": "Spice.",
        "spoiler": True,
        "progress": {"page": 103, "of": 412},
        "entries": [{"entry": 1, "progress": {"page": 103, "of": 412}, "on": "2026-02-28", "note": "Worms!"}],
    }
    shown = await answered(shelf, "PATCH", book, {}, 200)
    assert (shown["state"], shown["finished"], shown["rating"], shown["stars"], shown["review"]) == (
        "finished",
        TODAY,
        4,
        4.25,
        "Spice.",
    )


async def test_a_past_reading_is_recorded_removed_restored_and_reopened(shelf: Shelf) -> None:
    book = f"/books/{(await shelf.add())['id']}"
    past = {"end": "abandoned", "started": "2019", "ended": "2020-05", "stars": 1.5, "reason": "Dull."}
    assert await answered(shelf, "POST", f"{book}/readings", past, 201) == {"number": 1, **past}
    await answered(shelf, "DELETE", f"{book}/readings/1")
    assert (await answered(shelf, "PATCH", book, {}, 200))["state"] == "unread"
    await answered(shelf, "POST", f"{book}/readings/1/restored")
    await answered(shelf, "POST", f"{book}/readings/1/reopened")
    assert (await answered(shelf, "PATCH", book, {}, 200))["state"] == "reading"
    await answered(shelf, "POST", f"{book}/readings/1/abandoned", {"on": "2020-06", "reason": "Long."})
    assert (await answered(shelf, "PATCH", f"{book}/readings/1", {}, 200))["ended"] == "2020-06"


async def test_passages_are_added_changed_and_removed(shelf: Shelf) -> None:
    passages = f"/books/{(await shelf.add())['id']}/passages"
    added = await shelf.send("POST", passages, {"quote": "Fear is the mind-killer."})
    assert (added.status, added.headers["Location"]) == (201, f"{passages}/1")
    assert added.json == {"number": 1, "quote": "Fear is the mind-killer."}
    changed = await answered(shelf, "PATCH", f"{passages}/1", {"note": "The litany.", "quote": None}, 200)
    assert changed == {"number": 1, "note": "The litany."}
    await answered(shelf, "DELETE", f"{passages}/1")
    await answered(shelf, "PATCH", f"{passages}/1", {"note": "x"}, 404)


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", "readings", {"ended": "2020"}, 422),
        ("POST", "readings", {"end": "open"}, 422),
        ("POST", "readings", {"started": "2026-03-03"}, 422),
        ("POST", "readings/current/finished", {}, 404),
        ("POST", "readings/1/restored", {}, 404),
        ("POST", "readings/current/restored", {}, 404),
        ("POST", "readings/0/paused", {}, 422),
        ("POST", "readings/last/paused", {}, 422),
        ("PUT", "rating", {"stars": 4.3}, 422),
        ("PUT", "rating", {}, 422),
        ("PUT", "rating", {"stars": 4, "reading": 9}, 404),
        ("POST", "passages", {}, 422),
    ],
)
async def test_a_request_that_cannot_be_carried_out_is_refused(
    shelf: Shelf,
    method: str,
    target: str,
    body: object,
    status: int,
) -> None:
    book = await shelf.add()
    answer = await shelf.send(method, f"/books/{book['id']}/{target}", body)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")


async def test_a_second_open_reading_is_a_conflict(shelf: Shelf) -> None:
    book = await shelf.add()
    await answered(shelf, "POST", f"/books/{book['id']}/readings", status=201)
    problem = await answered(shelf, "POST", f"/books/{book['id']}/readings", status=409)
    assert "reading 1" in problem["detail"]


async def test_an_old_client_finishes_a_book_with_all_that_answers_show_today(shelf: Shelf) -> None:
    added = await shelf.add(subtitle="A novel", series=[{"name": "Dune"}])
    book = f"/books/{added.pop('id')}"
    await answered(shelf, "POST", f"{book}/readings", {"end": "finished", "stars": 4.25}, 201)
    await answered(shelf, "POST", f"{book}/readings", {"end": "finished", "ended": "2020-05"}, 201)
    shown = await answered(shelf, "PATCH", book, {}, 200)
    await answered(shelf, "POST", f"{book}/finished", shown)
    assert await answered(shelf, "PATCH", book, {}, 200) == shown
