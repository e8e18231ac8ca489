"""Votes and comments show in the timelines, each person's own, and nothing of a removed photo counts."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from support.photo_site import ANN, BOB, CALLERS, EVE, MODERATOR, PhotoSite

from bookshelf.cqrs.handler import GUEST
from bookshelf.photos.events import PhotoDescribed, PhotoRemoved, VoteCast


@pytest.fixture
async def site() -> AsyncIterator[PhotoSite]:
    async with PhotoSite(callers=CALLERS) as made:
        yield made


async def test_a_vote_counts_once_and_is_shown_to_its_person_alone(site: PhotoSite) -> None:
    await site.add("p1")
    assert (await site.vote("p1", "up", BOB)).json == {"photo": "p1", "mine": 1}
    await site.vote("p1", "up", BOB)
    await site.vote("p1", "down", EVE)
    shown = [await site.get("/photos/p1", caller) for caller in (BOB, EVE, ANN, GUEST)]
    assert [photo["mine"] for photo in shown] == [1, -1, None, None]
    assert {
        tuple(photo[name] for name in ("up", "down", "votes", "score", "percent")) for photo in shown
    } == {(1, 1, 2, 0, 50)}
    await site.vote("p1", "up", EVE)
    await site.vote("p1", None, BOB)
    photo = await site.get("/photos/p1", BOB)
    assert (photo["up"], photo["down"], photo["mine"]) == (1, 0, None)


async def test_comments_are_listed_newest_first_and_removed(site: PhotoSite) -> None:
    await site.add("p1")
    for number in range(12):
        site.clock.move(timedelta(seconds=1))
        added = await site.comment("p1", f"comment {number}", BOB)
        assert added.status == 201
    assert added.headers["Location"] == f"/photos/p1/comments/{added.json['id']}"
    photo = await site.get("/photos/p1", ANN)
    assert photo["comments"] == 12
    assert [said["text"] for said in photo["last_comments"]] == [f"comment {n}" for n in range(11, 1, -1)]
    listed = await site.get("/photos/p1/comments?rows=100", GUEST)
    assert [said["text"] for said in listed] == [f"comment {n}" for n in range(11, -1, -1)]
    [mine, *_] = await site.get("/me/comments", BOB)
    assert (mine["text"], mine["photo"]["id"]) == ("comment 11", "p1")
    target = f"/photos/p1/comments/{added.json['id']}"
    assert (await site.send("DELETE", target, caller=EVE)).status == 403
    assert (await site.send("DELETE", f"{target}?text=spam", caller=MODERATOR)).status == 204
    assert (await site.send("DELETE", target, caller=ANN)).status == 204
    assert (await site.get("/photos/p1", ANN))["comments"] == 11


async def test_nothing_that_follows_the_removal_of_a_photo_counts(site: PhotoSite) -> None:
    await site.add("p1")
    await site.vote("p1", "up", BOB)
    await site.comment("p1", "nice", BOB)
    await site.append("p1", PhotoRemoved(reason="owner"), source="photo")
    late = VoteCast(way=1, at=datetime(2026, 11, 25, tzinfo=UTC))
    await site.append("p1~v-a-eve", late, source="vote")
    await site.shelf.caught_up()
    assert (await site.vote("p1", "down", EVE)).status == 410
    assert (await site.comment("p1", "too late", EVE)).status == 410
    assert (await site.send("GET", "/photos/p1", caller=EVE)).status == 410
    assert (await site.send("GET", "/photos/p1/comments", caller=EVE)).status == 410
    for target in ("/photos", "/photos?sort=trending", "/me/votes", "/me/comments"):
        assert await site.get(target, BOB) == []
    assert (await site.vote("p1", None, EVE)).json == {"photo": "p1", "mine": None}


async def test_a_described_photo_shows_what_was_changed(site: PhotoSite) -> None:
    await site.add("p1")
    before = await site.get("/photos/p1", ANN)
    await site.append("p1", PhotoDescribed(title="High tide", credit="Bob"), source="photo")
    after = await site.get("/photos/p1", ANN)
    assert (after["title"], after["description"], after["credit"]) == ("High tide", "", "Bob")
    assert int(after["version"]) > int(before["version"])


async def test_hot_photos_are_those_of_a_day_in_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vote just before midnight in Berlin counts for the day before; a replaced vote leaves its day."""
    days: dict[str, list[list[str]]] = {}
    for zone in ("UTC", "Europe/Berlin"):
        monkeypatch.setenv("BOOKSHELF_PHOTOS_ZONE", zone)
        async with PhotoSite(callers=CALLERS) as site:
            site.move_to(datetime(2026, 11, 25, 22, 59, tzinfo=UTC))
            await site.add("p1")
            await site.add("p2")
            await site.vote("p1", "up", BOB)
            await site.vote("p2", "up", EVE)
            site.move_to(datetime(2026, 11, 25, 23, 1, tzinfo=UTC))  # in Berlin it is the next day
            await site.vote("p2", "down", EVE)
            await site.vote("p2", "up", BOB)
            await site.vote("p2", "up", ANN)
            asked = [f"/photos?sort=hot&day=2026-11-{day}" for day in (25, 26)]
            found = [await site.get(target, BOB) for target in asked]
            days[zone] = [[photo["id"] for photo in listed] for listed in found]
            assert await site.get("/photos?sort=hot", BOB) == found[zone != "UTC"]
            site.move_to(datetime(2026, 11, 28, tzinfo=UTC))
            assert await site.get("/photos?sort=hot", BOB) == []
    assert days == {"UTC": [["p2", "p1"], []], "Europe/Berlin": [["p1"], ["p2"]]}


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("PUT", "/photos/p1/vote", {"way": "sideways"}, 422),
        ("PUT", "/photos/p1/vote", {}, 422),
        ("PUT", "/photos/nothing/vote", {"way": "up"}, 404),
        ("PUT", "/photos/p1~v-a-bob/vote", {"way": "up"}, 404),
        ("POST", "/photos/nothing/comments", {"text": "hello"}, 404),
        ("POST", "/photos/p1/comments", {"text": " "}, 422),
        ("POST", "/photos/p1/comments", {"text": "x" * 256}, 422),
        ("POST", "/photos/p1/comments", {"text": "a\x07b"}, 422),
        ("DELETE", "/photos/p1/comments/nothing", None, 404),
        ("GET", "/photos/nothing", None, 404),
        ("GET", "/photos/p1~c-x", None, 404),
        ("GET", "/photos?rows=0", None, 422),
        ("GET", "/photos?rows=101", None, 422),
        ("GET", "/photos?offset=10001", None, 422),
        ("GET", "/photos?sort=best", None, 422),
        ("GET", "/photos?after=x", None, 422),
        ("GET", "/photos?caller=a-bob", None, 422),
        ("GET", "/people/nobody-knows", None, 404),
    ],
)
async def test_what_is_wrong_is_refused(
    site: PhotoSite, method: str, target: str, body: object, status: int
) -> None:
    await site.add("p1")
    assert (await site.send(method, target, body, BOB)).status == status


async def test_guests_read_and_do_not_vote(site: PhotoSite) -> None:
    await site.add("p1")
    assert [photo["id"] for photo in await site.get("/photos", GUEST)] == ["p1"]
    assert (await site.vote("p1", "up", GUEST)).status == 401
    assert (await site.comment("p1", "hello", GUEST)).status == 401
    assert (await site.send("GET", "/me/votes", caller=GUEST)).status == 401


async def test_photos_are_looked_up_in_the_sequence_that_is_asked_for(site: PhotoSite) -> None:
    for photo in ("p1", "p2", "p3"):
        await site.add(photo)
    await site.vote("p2", "up", BOB)
    await site.comment("p2", "hello", BOB)
    await site.append("p3", PhotoRemoved(reason="owner"), source="photo")
    await site.shelf.caught_up()
    asked = {"ids": ["p2", "nothing", "p3", "p1", "p2"]}
    found = (await site.send("POST", "/photos/lookup", asked, BOB)).json
    assert [(photo["id"], photo["mine"], photo["comments"]) for photo in found] == [
        ("p2", 1, 1),
        ("p1", None, 0),
    ]
    assert [said["text"] for said in found[0]["last_comments"]] == ["hello"]
    assert (await site.send("POST", "/photos/lookup", {"ids": ["p"] * 101}, BOB)).status == 422
    assert (await site.send("POST", "/photos/lookup", {"ids": []}, GUEST)).json == []


async def test_votes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKSHELF_PHOTOS_VOTES_A_MINUTE", "2")
    async with PhotoSite(callers=CALLERS) as limited:
        await limited.add("p1")
        ways = ("up", "down", "up")
        answers = [await limited.vote("p1", way, BOB) for way in ways]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert int(answers[-1].headers["Retry-After"]) in range(1, 61)
        assert (await limited.vote("p1", "up", EVE)).status == 200


async def test_the_pages_of_hot_photos_are_of_the_day_that_the_first_page_was_read_on(
    site: PhotoSite,
) -> None:
    site.move_to(datetime(2026, 11, 25, 23, 59, tzinfo=UTC))
    for photo in ("p1", "p2"):
        await site.add(photo)
        await site.vote(photo, "up", BOB)
    await site.shelf.caught_up()
    first = await site.send("GET", "/photos?sort=hot&rows=1", caller=BOB)
    following = re.fullmatch(r'<(.*)>; rel="next"', first.headers["Link"])
    assert following is not None
    site.move_to(datetime(2026, 11, 26, 0, 1, tzinfo=UTC))
    second = await site.get(following[1], BOB)
    assert {first.json[0]["id"], second[0]["id"]} == {"p1", "p2"}
    assert (await site.send("GET", f"{following[1]}&day=2026-11-24", caller=BOB)).status == 422
