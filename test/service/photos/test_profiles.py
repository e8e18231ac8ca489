"""Profiles are registered and edited by their person, and deleted with all that the person has published."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from support.photo_site import ANN, BOB, CALLERS, EVE, PhotoSite
from support.until import eventually

from bookshelf.cqrs.handler import GUEST
from bookshelf.photos.photo import PHOTO


@pytest.fixture
async def site() -> AsyncIterator[PhotoSite]:
    async with PhotoSite(callers=CALLERS) as made:
        yield made


async def test_a_profile_is_registered_once_and_edited(site: PhotoSite) -> None:
    made = await site.send("POST", "/profiles", {"name": "Ann Example"}, ANN)
    assert (made.status, made.headers["Location"]) == (201, "/people/a-ann")
    assert (await site.send("POST", "/profiles", {"name": "Another"}, ANN)).status == 409
    await site.add("p1", "a-ann")
    await site.add("p2", "a-bob")
    changed = await site.send("PATCH", "/me", {"about": "Seas", "avatar": "p1"}, ANN)
    assert (changed.status, changed.json["about"], changed.json["name"]) == (200, "Seas", "Ann Example")
    assert (await site.get("/people/a-ann", GUEST))["avatar"] == "p1"
    assert (await site.get("/photos/p1", BOB))["owner"] == {"id": "a-ann", "name": "Ann Example"}
    await site.send("PATCH", "/me", {"avatar": "p2"}, ANN)
    assert (await site.get("/me", ANN))["avatar"] == ""  # the photo of another person
    assert (await site.send("PATCH", "/me", {"about": "x"}, EVE)).status == 404
    assert (await site.send("PATCH", "/me", {"about": "x" * 2001}, ANN)).status == 422


async def test_the_local_reader_has_a_profile_without_registering() -> None:
    async with PhotoSite() as site:
        assert (await site.get("/me"))["name"] == "Reader"
        changed = await site.send("PATCH", "/me", {"about": "Seas"})
        assert (changed.status, changed.json["id"]) == (200, "a-reader")
        assert (await site.get("/people/a-reader"))["about"] == "Seas"


async def test_a_deleted_person_is_named_nowhere_and_leaves_nothing() -> None:
    async with PhotoSite(callers=CALLERS, runs=(PHOTO,)) as site:
        for caller, name in ((ANN, "Ann Example"), (BOB, "Bob Example")):
            await site.send("POST", "/profiles", {"name": name}, caller)
        for photo in ("p1", "p2"):
            await site.add(photo, "a-ann")
        await site.add("p3", "a-bob")
        for photo in ("p1", "p3"):
            await site.comment(photo, f"ann on {photo}", ANN)
            await site.comment(photo, f"bob on {photo}", BOB)
            await site.vote(photo, "up", ANN)
            await site.vote(photo, "up", BOB)
        await site.send("DELETE", "/photos/p2/vote", caller=ANN)
        assert (await site.send("DELETE", "/me", caller=ANN)).status == 202
        await site.shelf.caught_up()
        # hidden at once, whatever is still there
        assert (await site.send("GET", "/people/a-ann", caller=BOB)).status == 410
        assert "Ann Example" not in (await site.send("GET", "/photos", caller=BOB)).body.decode()
        await closed(site)
        assert [photo["id"] for photo in await site.get("/photos", BOB)] == ["p3"]
        photo = await site.get("/photos/p3", BOB)
        assert (photo["up"], photo["comments"]) == (1, 1)
        assert [said["text"] for said in photo["last_comments"]] == ["bob on p3"]
        assert (await site.send("GET", "/photos/p1", caller=BOB)).status == 410
        assert (await site.send("GET", "/me", caller=ANN)).status == 410
        assert await site.get("/me/votes", ANN) == []
        again = await site.send("POST", "/profiles", {"name": "Ann Example"}, ANN)
        assert again.status == 201


async def test_what_was_under_way_while_a_profile_was_deleted_is_removed() -> None:
    """Each is of a time before the deletion, and is appended after it is complete."""
    async with PhotoSite(callers=CALLERS, runs=(PHOTO,)) as site:
        await site.send("POST", "/profiles", {"name": "Ann Example"}, ANN)
        await site.add("p1", "a-bob", site.clock.now())
        begun = site.clock.now()
        site.clock.move(timedelta(seconds=1))
        assert (await site.send("DELETE", "/me", caller=ANN)).status == 202

        async def is_closed() -> bool:
            return "photos.profile-closed.v1" in await site.types()

        await eventually(is_closed, "the profile, which has nothing, is closed in one round")
        gone = site.clock.now()
        site.move_to(begun)
        await publish(site, "late", begun)
        site.move_to(gone + timedelta(seconds=1))
        await site.send("POST", "/profiles", {"name": "Ann Example"}, ANN)
        await publish(site, "new", site.clock.now())
        assert await published(site) == (["late", "new", "p1"], 2, 1)

        async def is_rechecked() -> bool:
            site.clock.move(timedelta(seconds=1))
            return (await site.types()).count("photos.profile-rechecked.v1") >= 1

        await eventually(is_rechecked, "the deletion is rechecked")
        await eventually(lambda: has(site, ["new", "p1"], 1), "what was late is removed, and nothing else")
        assert (await site.get("/photos/new", BOB))["owner"] == {"id": "a-ann", "name": "Ann Example"}


async def publish(site: PhotoSite, photo: str, at: datetime) -> None:
    """Publish a photo of Ann, and comment on p1; the late ones have a vote, too."""
    await site.add(photo, "a-ann", at)
    assert (await site.comment("p1", photo, ANN)).status == 201
    if photo == "late":
        assert (await site.vote("p1", "up", ANN)).status == 200


async def published(site: PhotoSite) -> tuple[list[str], int, int]:
    """Return the photos by id, and the comments and votes on p1."""
    found = {photo["id"]: photo for photo in await site.get("/photos", BOB)}
    return sorted(found), found["p1"]["comments"], found["p1"]["votes"]


async def has(site: PhotoSite, photos: list[str], comments: int) -> bool:
    """Return True if these photos are published, with so many comments on p1 and no vote."""
    return await published(site) == (photos, comments, 0)


async def closed(site: PhotoSite) -> None:
    """Wait until a deletion is complete; the clock goes on, so that its rounds follow each other."""

    async def is_closed() -> bool:
        site.clock.move(timedelta(seconds=1))
        return "photos.profile-closed.v1" in await site.types()

    await eventually(is_closed, "the profile is closed")
    await site.shelf.caught_up()
