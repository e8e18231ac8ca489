"""Each person has a shelf of their own: every route of the API, asked by two people, an admin and a guest."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from support.pages import Pages, ShelfApi
from support.shelf import JSON, SHELF, Answered, Shelf

from bookshelf.cqrs.handler import GUEST, Caller, HandlerRoute
from bookshelf.cqrs.route import EventsRoute
from bookshelf.http.message import Response, request
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.services import SERVICES
from bookshelf.shelf.pages.site import SITE

CALLERS = SignedCallers(b"the secret of this test")
EVERYTHING = frozenset({"read", "write"})
ANN, BOB = (signed_in(name, EVERYTHING, None) for name in ("a-ann", "a-bob"))
ADMIN = signed_in("a-reader", EVERYTHING | {"accounts:admin"}, None)
#: A word in everything that Ann has.
WORD = "xylograph"
FORM_KEY = re.compile(r'name="_key" value="[0-9a-f]+"')
MINE, THEIRS = "id-of-a-thing", "no-such-thing"


Json = Any


class Visit(NamedTuple):
    """How a route is asked: its query string, and its body."""

    query: str = ""
    body: Json = None


BOOK = {"title": "A title", "author": "An author"}
COVER = {"digest": "ab" * 32, "width": 480, "height": 640, "colour": "#336699"}
READING = "/books/{id}/readings/{n}"
#: Every route of the API but those of accounts (accounts/test_walk.py), and of files, which are for everyone
#: (files/test_files.py). A new one is added here, with a
#: request that changes or reads something of Ann's.
WALK: dict[tuple[str, str], Visit] = {
    ("POST", "/books"): Visit(body=BOOK),
    ("PATCH", "/books/{id}"): Visit(body={"title": "Taken"}),
    ("DELETE", "/books/{id}"): Visit(),
    ("POST", "/books/{id}/restored"): Visit(),
    ("PUT", "/books/{id}/cover"): Visit(body=COVER),
    ("DELETE", "/books/{id}/cover"): Visit(),
    ("POST", "/books/bulk"): Visit(body=[{"method": "DELETE", "path": "/books/{id}"}]),
    ("POST", "/books/{id}/finished"): Visit(),
    ("POST", "/books/{id}/readings"): Visit(),
    ("PATCH", READING): Visit(body={"started": "2020"}),
    ("DELETE", READING): Visit(),
    **{
        ("POST", f"{READING}/{step}"): Visit()
        for step in ("paused", "resumed", "abandoned", "finished", "reopened", "restored")
    },
    ("POST", f"{READING}/progress"): Visit(body={"progress": {"page": 7}}),
    ("DELETE", f"{READING}/progress/{{entry}}"): Visit(),
    ("PUT", "/books/{id}/rating"): Visit(body={"stars": 1}),
    ("PUT", "/books/{id}/review"): Visit(body={"text": "Mine"}),
    ("POST", "/books/{id}/passages"): Visit(body={"quote": "Mine"}),
    ("PATCH", "/books/{id}/passages/{n}"): Visit(body={"quote": "Mine"}),
    ("DELETE", "/books/{id}/passages/{n}"): Visit(),
    ("POST", "/readings/bulk"): Visit(body=[{"method": "POST", "path": "/books/{id}/finished"}]),
    ("GET", "/books/last/read"): Visit(),
    ("GET", "/books"): Visit(f"q={WORD}&list={{id}}"),
    ("GET", "/books/{id}"): Visit(),
    ("GET", "/books/{id}/history"): Visit(),
    ("GET", "/books/facets"): Visit(),
    ("GET", "/books/suggest"): Visit(f"q={WORD[:4]}"),
    ("GET", "/authors"): Visit(),
    ("GET", "/series"): Visit(),
    ("GET", "/tags"): Visit(),
    ("GET", "/changes"): Visit("book={id}"),
    ("GET", "/changes/{id}"): Visit(),
    ("GET", "/changes/events"): Visit(),
    ("GET", "/books/{id}/readings"): Visit(),
    ("GET", "/readings"): Visit(),
    ("GET", "/books/{id}/passages"): Visit(),
    ("GET", "/passages"): Visit(),
    ("POST", "/lists"): Visit(body={"name": "A list"}),
    ("PATCH", "/lists/{id}"): Visit(body={"name": "Taken"}),
    ("DELETE", "/lists/{id}"): Visit(),
    ("POST", "/lists/{id}/restored"): Visit(),
    ("PUT", "/lists/{id}/books/{book}"): Visit(),
    ("DELETE", "/lists/{id}/books/{book}"): Visit(),
    ("GET", "/lists"): Visit(),
    ("GET", "/lists/{id}"): Visit(),
    ("POST", "/lists/bulk"): Visit(body=[{"method": "DELETE", "path": "/lists/{id}"}]),
    ("PUT", "/goals/{year}"): Visit(body={"books": 3}),
    ("GET", "/stats"): Visit(),
    ("GET", "/stats/days"): Visit("year=2026"),
    ("GET", "/stats/{year}"): Visit(),
}
ROUTES = {
    (route.method, route.path): route
    for service in SHELF
    if service.root is None and service.name != "files"
    for route in service.serves
}
#: Routes on one thing: to anyone else it is as if it was not there.
ON_ONE = [key for key in WALK if "{id}" in key[1]]


class People(Shelf):
    """A shelf with the things of Ann; Bob and the admin have none."""

    def __init__(self) -> None:
        super().__init__(callers=CALLERS)
        #: The id of Ann's thing in each route with an {id}.
        self.change = ""

    async def respond(
        self, person: Caller, method: str, target: str, body: Json = None, **headers: str
    ) -> Response:
        content = b"" if body is None else msgspec.json.encode(body)
        made = request(method, target, content, **headers, **({"Content_Type": JSON} if content else {}))
        CALLERS.sign(person, made)
        return await self.edge(method, target).handle(made)

    async def ask(
        self, person: Caller, method: str, target: str, body: Json = None, **headers: str
    ) -> Answered:
        return Answered(await self.respond(person, method, target, body, **headers))

    async def done(
        self, person: Caller, method: str, target: str, body: Json = None, **headers: str
    ) -> Answered:
        answer = await self.ask(person, method, target, body, **headers)
        assert answer.status < 300, (target, answer.body)
        return answer

    async def furnish(self) -> None:
        """Give Ann one of everything, all with the word."""
        fields = {"tags": [WORD], "series": [{"name": WORD}], "notes": WORD, "pages": 300}
        added = await self.done(ANN, "POST", "/books", {"id": MINE, "title": WORD, "author": WORD, **fields})
        self.change = added.headers["Bookshelf-Change"]
        past = {
            "end": "finished",
            "started": "2025-12-01",
            "ended": "2026-01-05",
            "stars": 5,
            "review": WORD,
        }
        await self.done(ANN, "POST", f"/books/{MINE}/readings", past)
        await self.done(ANN, "POST", f"/books/{MINE}/readings")
        await self.done(ANN, "POST", f"/books/{MINE}/readings/2/progress", {"progress": {"page": 30}})
        await self.done(ANN, "POST", f"/books/{MINE}/passages", {"quote": WORD})
        await self.done(ANN, "PUT", f"/books/{MINE}/cover", COVER)
        await self.done(ANN, "POST", "/lists", {"id": f"{MINE}-list", "name": WORD})
        for name in ("up-next", f"{MINE}-list"):
            await self.done(ANN, "PUT", f"/lists/{name}/books/{MINE}")
        await self.done(ANN, "PUT", "/goals/2026", {"books": 52})
        await self.caught_up()

    def target(self, method: str, path: str, of: str) -> str:
        """Return the address of a thing of Ann, or of one that is not there."""
        of_list = path.startswith("/lists") or path == "/books"
        thing = of if of != MINE else f"{MINE}-list" if of_list else MINE
        if of == MINE and path == "/changes/{id}":
            thing = self.change
        query = WALK[method, path].query
        address = f"{path}?{query}" if query else path
        values = {"id": thing, "n": "2", "entry": "1", "book": of, "year": "2026"}
        if "passages/{n}" in path:
            values["n"] = "1"
        for name, value in values.items():
            address = address.replace(f"{{{name}}}", value)
        return address

    def body(self, method: str, path: str, of: str) -> Json:
        """Return the body of a request on a thing of Ann, or on one that is not there."""
        text = msgspec.json.encode(WALK[method, path].body).decode()
        thing = f"{MINE}-list" if of == MINE and path.startswith("/lists") else of
        return msgspec.json.decode(text.replace("{id}", thing))

    async def visit(self, person: Caller, method: str, path: str, of: str) -> Answered:
        """Return the answer to a request on a thing."""
        return await self.ask(person, method, self.target(method, path, of), self.body(method, path, of))

    async def everything_of(self, person: Caller) -> dict[str, bytes]:
        """Return what a person sees, by address."""
        seen = {}
        for (method, path), route in ROUTES.items():
            if method == "GET" and not isinstance(route, EventsRoute):
                target = self.target(method, path, MINE)
                seen[target] = (await self.ask(person, method, target)).body
        return seen


@pytest.fixture
async def people() -> AsyncIterator[People]:
    async with People() as people:
        await people.furnish()
        yield people


def test_the_walk_has_every_route() -> None:
    assert WALK.keys() == ROUTES.keys()


async def test_the_things_of_a_person_are_seen_and_changed_by_that_person_only(people: People) -> None:
    before = await people.everything_of(ANN)
    hidden = [target for target, body in before.items() if WORD.encode() not in body]
    assert all(target.startswith("/stats") for target in hidden), hidden
    for person in (BOB, ADMIN):
        for method, path in ON_ONE:
            mine, theirs = [
                await people.ask(
                    person, method, people.target(method, path, of), people.body(method, path, of)
                )
                for of in (MINE, THEIRS)
            ]
            assert (mine.status, mine.body) == (theirs.status, theirs.body), (method, path)
            assert mine.status == 404, (method, path, mine.body)
        for method, path in ("POST", "/books/bulk"), ("POST", "/readings/bulk"), ("POST", "/lists/bulk"):
            mine, theirs = [
                await people.ask(person, method, path, people.body(method, path, of)) for of in (MINE, THEIRS)
            ]
            assert [result["problem"] for result in mine.json] == [
                result["problem"] for result in theirs.json
            ]
            assert [result["status"] for result in mine.json] == [404]
        for target, body in (await people.everything_of(person)).items():
            assert WORD.encode() not in body, target
            assert MINE.encode() not in body, target
    await people.caught_up()
    assert await people.everything_of(ANN) == before


async def pages_of(pages: Pages, thing: str, job: str) -> dict[str, str]:
    """Return every page by its path, without the keys of forms, with THEIRS in place of the thing and job."""
    seen = {}
    for route in SITE.parts.pages:
        address = route.path
        named = "list" if address.startswith("/lists") and thing == MINE else ""
        word = WORD if thing == MINE else THEIRS
        values = {"id": f"{thing}-list" if named else thing, "book": thing, "name": word, "n": "1"}
        if address.startswith(("/import", "/jobs")):
            values["id"] = job
        for name, value in {**values, "year": "2026", "number": "1", "file": "books.csv"}.items():
            address = address.replace(f"{{{name}}}", value)
        shown = FORM_KEY.sub("", (await pages.get(address)).html)
        for value in (f"{MINE}-list", MINE, WORD if "{name}" in route.path else THEIRS, job):
            words = value.replace("-", " ")  # an error page searches for the words of its address
            shown = shown.replace(value, THEIRS).replace(words, THEIRS.replace("-", " "))
        seen[route.path] = shown
    return seen


async def test_no_page_shows_the_things_of_another_person(people: People, tmp_path: Path) -> None:
    def browser(person: Caller) -> Pages:
        CALLERS.sign(person, made := request("GET", "/"))
        known = CALLERS.of(made)
        return Pages(SITE, ShelfApi(people), people.clock, tmp_path, caller=known, callers=CALLERS)

    ann = browser(ANN)
    async with ann.running_jobs():
        added = await ann.post("/import", {"text": f"Title,Author\n{WORD},{WORD}\n"})
        job = added.location.rpartition("/")[2]
        own = await pages_of(ann, MINE, job)
        assert all(
            WORD in own[path] for path in ("/", "/books/{id}", "/changes", "/lists/{id}", "/import/{id}")
        )
        for person in (BOB, ADMIN):
            seen = await pages_of(browser(person), MINE, job)
            assert seen == await pages_of(browser(person), THEIRS, "nosuchjob")
            assert [path for path, html in seen.items() if WORD in html] == []


async def test_a_guest_is_asked_to_sign_in_at_every_route_and_each_route_needs_its_scope(
    people: People,
) -> None:
    scopeless = signed_in("a-ann", frozenset({"other"}), None)
    for (method, path), route in ROUTES.items():
        assert route.requires == (("read",) if method == "GET" else ("write",))
        for person, status, challenge in (
            (GUEST, 401, "Bearer"),
            (scopeless, 403, f'Bearer error="insufficient_scope", scope="{route.requires[0]}"'),
        ):
            answer = await people.visit(person, method, path, MINE)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (status, challenge), (method, path)


async def test_two_people_may_use_one_key_and_not_one_id(people: People) -> None:
    books = [await people.done(one, "POST", "/books", BOOK, Idempotency_Key="k") for one in (ANN, BOB, BOB)]
    assert len({book.json["id"] for book in books}) == 2
    assert books[1].body == books[2].body
    assert [book.headers.get("Idempotency-Replayed") for book in books] == [None, None, "true"]
    goals = [
        await people.done(one, "PUT", "/goals/2030", {"books": 1}, Idempotency_Key="g") for one in (ANN, BOB)
    ]
    assert all("Idempotency-Replayed" not in goal.headers for goal in goals)
    # nor can the id of another person's thing be taken
    for path, body in (("/books", {**BOOK, "id": MINE}), ("/lists", {"id": f"{MINE}-list", "name": "x"})):
        answer = await people.ask(BOB, "POST", path, body)
        assert answer.status == 409
        assert WORD.encode() not in answer.body
    assert (await people.ask(ANN, "GET", f"/books/{MINE}")).json["title"] == WORD


async def test_people_have_lists_and_goals_of_the_same_name(people: People) -> None:
    added = await people.done(BOB, "POST", "/books", {**BOOK, "id": "bobs"})
    await people.done(BOB, "PUT", "/lists/up-next/books/bobs")
    await people.done(BOB, "PUT", "/goals/2026", {"books": 3})
    await people.caught_up()
    [entry] = (await people.done(BOB, "GET", "/lists/up-next")).json["entries"]
    assert entry["book"]["id"] == "bobs"
    changes = (await people.done(BOB, "GET", "/changes")).json
    assert {change["subject"] for change in changes} == {"bobs", "up-next", "goal-2026"}
    [put] = (await people.done(BOB, "GET", "/changes?book=up-next")).json
    for undo in put["undo"]:
        await people.done(BOB, undo["method"], undo["path"], undo.get("body"))
    await people.caught_up()
    assert (await people.done(BOB, "GET", "/lists/up-next")).json["entries"] == []
    assert (await people.done(ANN, "GET", "/lists/up-next?all=1")).json["entries"] != []
    assert added.headers["Bookshelf-Change"] in {change["id"] for change in changes}


async def test_the_stream_of_changes_has_ones_own_and_answers_are_private(people: People) -> None:
    seen = {}
    for name, person in (("ann", ANN), ("bob", BOB)):
        last = "bookshelf/0@0, bookshelf/1@0"
        response = await people.respond(person, "GET", "/changes/events", Last_Event_ID=last)
        assert not isinstance(response.body, bytes)
        seen[name] = await anext(response.body)
        await response.body.aclose()  # type: ignore[attr-defined]
    assert MINE.encode() in seen["ann"]
    assert MINE.encode() not in seen["bob"]
    assert b"data:" not in seen["bob"]
    # and no shared cache keeps the answers to a person
    target = "/books?limit=1"
    ann = await people.ask(ANN, "GET", target)
    bob = await people.ask(BOB, "GET", target, If_None_Match=ann.headers["ETag"])
    assert (bob.status, bob.body) == (200, b"[]")
    assert ann.headers["Cache-Control"] == "private, no-cache"


async def test_the_first_admin_has_what_the_local_reader_left() -> None:
    async with Shelf() as before:
        await before.add(id="old")
        log = before.log
    after = Shelf(log=log, callers=CALLERS)
    async with after:
        for person, status in ((ADMIN, 200), (ANN, 404)):
            made = request("GET", "/books/old")
            CALLERS.sign(person, made)
            assert (await after.edge("GET", "/books/old").handle(made)).status == status


def test_pages_need_a_person_except_what_all_pages_load() -> None:
    open_to_guests = {route.path for route in SITE.routes if route.requires is None}
    assert open_to_guests == {"/static/{digest}/{file}", "/manifest.webmanifest", "/design/{page}/{state}"}
    changing = [route for service in SERVICES for route in service.loaded().serves if route.method != "GET"]
    assert all(route.requires != ("read",) for route in changing)
    assert any(isinstance(route, HandlerRoute) for route in changing)
