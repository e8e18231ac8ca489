"""Entity tags, conditions, and reading what one wrote."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.client import Client, Reply
from support.program import Program


def test_a_query_answers_304_when_nothing_is_new(either: Client) -> None:
    book = either.add("Kim")
    for path in (
        f"/books/{book['id']}",
        "/books?limit=5",
        "/books/last/read",
        f"/books/{book['id']}/history",
    ):
        first = either.get(path)
        again = either.get(path, If_None_Match=first.headers["etag"])
        assert (again.status, again.content) == (304, b""), path
        assert again.headers["etag"] == first.headers["etag"], path
        assert either.get(path, If_None_Match='"other"').status == 200, path
        assert either.get(path, If_None_Match=f'"x", W/{first.headers["etag"]}').status == 304, path
        assert either.get(path, If_None_Match="*").status == 304, path


def test_a_tag_changes_with_what_it_is_of(either: Client) -> None:
    book = either.add("Kim")
    tags = [either.get(f"/books/{book['id']}").headers["etag"]]
    lists = [either.get("/books").headers["etag"]]
    either.patch(f"/books/{book['id']}", {"pages": 1})
    either.post(f"/books/{book['id']}/finished")
    tags.append(either.get(f"/books/{book['id']}").headers["etag"])
    lists.append(either.get("/books").headers["etag"])
    assert len(set(tags)) == len(set(lists)) == 2
    assert either.get(f"/books/{book['id']}", If_None_Match=tags[0]).status == 200


def test_a_change_of_what_was_read(either: Client) -> None:
    book = either.add("Kim")
    path = f"/books/{book['id']}"
    tag = either.get(path).headers["etag"]
    changed = either.patch(path, {"pages": 1}, If_Match=tag)
    assert changed.status == 200
    assert changed.headers["etag"] == either.get(path).headers["etag"]
    late = either.patch(path, {"pages": 2}, If_Match=tag)
    assert (late.status, late.problem) == (412, "changed")
    assert either.delete(path, If_Match=tag).problem == "changed"
    assert either.get(path).json["pages"] == 1
    assert either.delete(path, If_Match=changed.headers["etag"]).status == 204


def test_the_tag_of_the_answer_is_the_tag_of_the_book(either: Client) -> None:
    reply = either.post("/books", {"title": "Kim", "author": "x"})
    path = f"/books/{reply.json['id']}"
    assert either.get(path).headers["etag"] == reply.headers["etag"]
    finished = either.post(f"{path}/finished", If_Match=reply.headers["etag"])
    assert finished.status == 204
    assert either.get(path).headers["etag"] == finished.headers["etag"]


@pytest.mark.parametrize("tags", ['"nothing"', 'W/"0"', '"-1"', '"99999999999999999999"', "unquoted", ""])
def test_a_condition_that_nothing_meets(either: Client, tags: str) -> None:
    book = either.add("Kim")
    assert either.patch(f"/books/{book['id']}", {"pages": 1}, If_Match=tags).problem == "changed"
    assert either.patch(f"/books/{book['id']}", {"pages": 1}, If_Match="*").status == 200


def test_of_many_conditional_changes_at_once_one_is_made(running: Program) -> None:
    book = running.client.add("Kim")
    path = f"/books/{book['id']}"
    tag = running.client.wait_for(path, 200).headers["etag"]

    def change(number: int) -> Reply:
        return running.client.patch(path, {"pages": number}, If_Match=tag)

    with ThreadPoolExecutor(16) as many:
        replies = list(many.map(change, range(1, 33)))
    won = [reply for reply in replies if reply.status == 200]
    assert len(won) == 1
    assert {reply.status for reply in replies} == {200, 412}
    reader = running.client
    reader.position = won[0].headers["bookshelf-position"]
    assert reader.get(path).json == won[0].json


def test_a_client_that_sends_its_position_reads_what_it_wrote(running: Program) -> None:
    for number in range(30):
        wrote = running.client.post("/books", {"title": f"Mine {number}", "author": "x"})
        position = wrote.headers["bookshelf-position"]
        for door in (running.client, running.ports):
            found = door.ask("GET", f"/books/{wrote.json['id']}", Bookshelf_After=position)
            assert (found.status, found.json) == (200, wrote.json)


def test_several_positions(either: Client) -> None:
    first = either.post("/books", {"title": "a", "author": "x"}).headers["bookshelf-position"]
    second = either.post("/books", {"title": "b", "author": "x"}).headers["bookshelf-position"]
    for after in (f"{first},{second}", f"{second} , {first}", f"elsewhere/3@9, {first}"):
        assert either.ask("GET", "/books", Bookshelf_After=after).status == 200


def test_a_position_past_the_end_is_of_another_log_and_not_waited_for(either: Client) -> None:
    assert either.ask("GET", "/books", Bookshelf_After="bookshelf/0@999999999").status == 200


@pytest.mark.parametrize("after", ["now", "bookshelf/0", "bookshelf/0@-1", "a/0@1;b/0@1", ",", "x" * 5000])
def test_a_position_that_is_none(either: Client, after: str) -> None:
    reply = either.ask("GET", "/books", Bookshelf_After=after)
    assert (reply.status, reply.problem, reply.place) == (400, "malformed", "Bookshelf-After")


def test_a_browser_reads_what_it_wrote_by_its_cookie(running: Program) -> None:
    door = running.client
    cookie = ""
    for number in range(30):
        wrote = door.ask("POST", "/books", {"title": f"Baked {number}", "author": "x"}, Cookie=cookie)
        (said,) = wrote.cookies
        cookie, _, attributes = said.partition(";")
        assert cookie.startswith("bookshelf-after-bookshelf-0=")
        assert "Path=/;" in attributes
        assert "HttpOnly" in attributes
        assert "SameSite=Lax" in attributes
        assert door.ask("GET", f"/books/{wrote.json['id']}", Cookie=f"a=b; {cookie}; c=d").status == 200


def test_the_cookie_is_the_gateway_s_alone(running: Program) -> None:
    assert running.ports.post("/books", {"title": "x", "author": "x"}).cookies == ()
    assert running.client.get("/books").cookies == ()


@pytest.mark.parametrize("junk", ["=", "x", "bookshelf/0@999999999999999999999", "%00", '"', "a" * 4000])
def test_a_cookie_that_is_junk_does_no_harm(running: Program, junk: str) -> None:
    door = running.client
    wrote = door.ask("POST", "/books", {"title": "x", "author": "x"})
    name = wrote.cookies[0].partition("=")[0]
    assert door.ask("GET", "/books", Cookie=f"{name}={junk}").status == 200
