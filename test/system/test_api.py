"""The calls of the shelf, through the gateway and on each service's own port."""

from datetime import UTC, datetime, timedelta

import pytest
from support.client import Client
from support.program import Program

WHOLE = {
    "title": "The Dispossessed",
    "author": "Ursula K. Le Guin",
    "published": "May 1974",
    "isbn": "0-06-012563-2",
    "pages": 341,
    "language": "en",
    "tags": ["science fiction", "anarchism"],
    "notes": "An ambiguous utopia.\n\tLent to Ada.",
}
EMPTY = {"published", "isbn", "pages", "language", "notes", "finished", "rating", "review"}


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_a_book_comes_onto_the_shelf_whole(either: Client) -> None:
    reply = either.post("/books", WHOLE)
    assert reply.status == 201
    book = reply.json
    assert reply.headers["location"] == f"{either.prefix}/books/{book['id']}"
    assert {name: book[name] for name in WHOLE} == WHOLE
    assert book["state"] == "unread"
    assert book["finished"] is None
    added = datetime.fromisoformat(book["added"])
    assert abs(datetime.now(UTC) - added) < timedelta(minutes=5)
    assert either.get(f"/books/{book['id']}").json == book
    assert book in either.books()


def test_title_and_author_are_enough(either: Client) -> None:
    book = either.add("Silence")
    assert {name for name in book if book[name] is None} == EMPTY
    assert book["tags"] == []


@pytest.mark.parametrize("published", ["1965", "-720", "c. 1390", "1965-08-01", "Spring 1965", "", " 1965 "])
def test_published_stays_the_text_that_it_was(shelf: Client, published: str) -> None:
    book = shelf.add("Dune", published=published)
    assert book["published"] == published
    assert shelf.get(f"/books/{book['id']}").json["published"] == published


@pytest.mark.parametrize("title", ["  two  spaces ", "Ünïcödé 本 📚", "a'b\"c<d>&e", "e\u0301", "0" * 1000])
def test_a_title_stays_the_text_that_it_was(shelf: Client, title: str) -> None:
    assert shelf.get(f"/books/{shelf.add(title)['id']}").json["title"] == title


def test_two_books_of_one_title_are_two(either: Client) -> None:
    assert either.add("Poems")["id"] != either.add("Poems")["id"]
    assert len(either.books("?q=poems&limit=1000")) >= 2


def test_a_book_is_finished_today_by_default(either: Client) -> None:
    book = either.add("Kim")
    reply = either.post(f"/books/{book['id']}/finished")
    assert (reply.status, reply.content) == (204, b"")
    found = either.get(f"/books/{book['id']}").json
    assert (found["state"], found["finished"]) == ("finished", today())


def test_a_book_is_finished_with_an_opinion(either: Client) -> None:
    book = either.add("Kim")
    said = {"finished": "2024-02-29", "rating": 5, "review": "Friend of all the world.\nAgain!"}
    assert either.post(f"/books/{book['id']}/finished", said).status == 204
    found = either.get(f"/books/{book['id']}").json
    assert {name: found[name] for name in said} == said
    assert found["state"] == "finished"


def test_a_day_may_be_unknown(either: Client) -> None:
    book = either.add("Kim")
    assert either.post(f"/books/{book['id']}/finished", {"finished": "unknown"}).status == 204
    found = either.get(f"/books/{book['id']}").json
    assert (found["state"], found["finished"]) == ("finished", None)


def test_finishing_again_with_other_values_corrects_the_reading(either: Client) -> None:
    book = either.add("Kim")
    either.post(f"/books/{book['id']}/finished", {"rating": 5})
    before = either.get(f"/books/{book['id']}/history").json
    assert either.post(f"/books/{book['id']}/finished", {"rating": 5}).status == 204
    assert either.get(f"/books/{book['id']}/history").json == before
    assert either.post(f"/books/{book['id']}/finished", {"rating": 1}).status == 204
    after = either.get(f"/books/{book['id']}/history").json
    assert [event["type"] for event in after[len(before) :]] == ["shelf.book-rated.v1"]
    assert either.get(f"/books/{book['id']}?as-of={after[-1]['time']}").json["rating"] == 1


def test_an_old_client_sends_the_whole_book_to_finish_it(either: Client) -> None:
    book = either.add("Kim", published="1901", tags=["india"])
    assert either.post(f"/books/{book['id']}/finished", book).status == 204
    found = either.get(f"/books/{book['id']}").json
    assert (found["state"], found["finished"], found["tags"]) == ("finished", today(), ["india"])


def test_the_very_old_client_knows_three_fields(either: Client) -> None:
    book = either.add("Kim", published="1901")
    old = {name: book[name] for name in ("id", "title", "author", "published")}
    assert either.post(f"/books/{book['id']}/finished", old).status == 204


def test_the_last_read_come_newest_first(either: Client) -> None:
    days = [(datetime.now(UTC) - timedelta(days=n)).date().isoformat() for n in range(1, 8)]
    books = {day: either.add(f"Read on {day}") for day in reversed(days)}
    for day in days:
        either.post(f"/books/{books[day]['id']}/finished", {"finished": day, "rating": 3})
    for book in either.get("/books/last/read?limit=100").json:
        if not book["title"].startswith("Read on"):
            either.delete(f"/books/{book['id']}")
    found = either.get("/books/last/read")
    assert found.status == 200
    assert [book["finished"] for book in found.json] == days[:5]
    assert found.json[0] == either.get(f"/books/{books[days[0]]['id']}").json
    assert [book["finished"] for book in either.get("/books/last/read?limit=2").json] == days[:2]
    for book in books.values():
        either.delete(f"/books/{book['id']}")
    assert either.get("/books/last/read").json == []


def test_a_book_is_changed(either: Client) -> None:
    book = either.add("Kim", published="1901", notes="mine", tags=["a"])
    reply = either.patch(f"/books/{book['id']}", {"title": "Kim!", "notes": None, "tags": ["b", "c"]})
    assert reply.status == 200
    assert reply.json == {**book, "title": "Kim!", "notes": None, "tags": ["b", "c"]}
    assert either.get(f"/books/{book['id']}").json == reply.json


def test_a_merge_patch_is_one_by_its_own_name_too(either: Client) -> None:
    book = either.add("Kim")
    media = {"Content_Type": "application/merge-patch+json"}
    assert either.patch(f"/books/{book['id']}", b'{"pages": 300}', **media).json["pages"] == 300


def test_a_finished_book_stays_finished_when_it_is_changed(either: Client) -> None:
    book = either.add("Kim")
    either.post(f"/books/{book['id']}/finished", {"rating": 4})
    assert either.patch(f"/books/{book['id']}", {"pages": 10}).json["state"] == "finished"
    found = either.get(f"/books/{book['id']}").json
    assert (found["pages"], found["rating"], found["state"]) == (10, 4, "finished")


def test_a_removed_book_is_gone_from_everywhere_and_stays_in_history(either: Client) -> None:
    book = either.add("Kimono")
    either.post(f"/books/{book['id']}/finished")
    assert either.delete(f"/books/{book['id']}").status == 204
    assert book["id"] not in [one["id"] for one in either.every_book()]
    assert either.books("?q=kimono") == []
    assert book["id"] not in [one["id"] for one in either.get("/books/last/read?limit=100").json]
    assert either.get(f"/books/{book['id']}").problem == "not-found"
    assert either.post(f"/books/{book['id']}/finished").status in {404, 410}
    assert either.patch(f"/books/{book['id']}", {"title": "x"}).problem == "not-found"
    assert either.delete(f"/books/{book['id']}").problem == "not-found"
    types = [event["type"] for event in either.get(f"/books/{book['id']}/history").json]
    assert types == ["shelf.book-added.v1", "shelf.book-finished.v1", "shelf.book-removed.v1"]


@pytest.mark.parametrize("book_id", ["no-such-book", "0", "%20", "a" * 1000])
def test_a_book_that_never_was(either: Client, book_id: str) -> None:
    assert either.get(f"/books/{book_id}").problem == "not-found"
    assert either.get(f"/books/{book_id}/history").problem == "not-found"
    assert either.post(f"/books/{book_id}/finished").problem == "not-found"
    assert either.patch(f"/books/{book_id}", {}).problem == "not-found"
    assert either.delete(f"/books/{book_id}").problem == "not-found"


def test_head_is_get_without_the_body(either: Client) -> None:
    book = either.add("Kim")
    whole = either.get(f"/books/{book['id']}")
    head = either.ask("HEAD", f"/books/{book['id']}")
    assert (head.status, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["etag"] == whole.headers["etag"]


def test_the_location_of_a_new_book_answers_at_once_without_a_cookie(running: Program) -> None:
    for client in (running.client, running.ports):
        for _ in range(50):
            added = client.post("/books", {"title": "Kim", "author": "Rudyard Kipling"})
            assert client.ask("GET", f"/books/{added.json['id']}").status == 200
