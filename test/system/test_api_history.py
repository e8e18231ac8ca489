"""What has happened to a book, and what it was like then."""

from datetime import datetime

from support.client import Client


def test_history_is_every_event_with_time_and_actor(either: Client) -> None:
    book = either.add("Kim")
    either.patch(f"/books/{book['id']}", {"pages": 300})
    either.post(f"/books/{book['id']}/finished", {"finished": "2024-01-02", "rating": 2})
    events = either.get(f"/books/{book['id']}/history").json
    assert [event["data"] for event in events[1:]] == [
        {"pages": 300},
        {"finished": "2024-01-02", "rating": 2},
    ]
    assert {event["actor"] for event in events} == {"reader"}
    times = [datetime.fromisoformat(event["time"]) for event in events]
    assert times == sorted(times)
    offsets = [int(event["position"].partition("@")[2]) for event in events]
    assert offsets == sorted(set(offsets))


def test_a_book_as_it_was(either: Client) -> None:
    book = either.add("Kim")
    either.patch(f"/books/{book['id']}", {"title": "Kim II"})
    either.delete(f"/books/{book['id']}")
    times = [event["time"] for event in either.get(f"/books/{book['id']}/history").json]
    then = [either.get(f"/books/{book['id']}?as-of={time.replace('+', '%2B')}") for time in times]
    assert [reply.status for reply in then] == [200, 200, 404]
    assert [reply.json["title"] for reply in then[:2]] == ["Kim", "Kim II"]
    assert either.get(f"/books/{book['id']}?as-of=1999-01-01T00:00:00Z").problem == "not-found"
    assert either.get(f"/books/{book['id']}?as-of=yesterday").place == "as-of"
    assert either.get(f"/books/{book['id']}?as-of=2024-01-01T00:00:00").place == "as-of"
