"""Profiles are registered and edited by their person, and deleted with all that the person has published."""

from collections.abc import AsyncIterator
from datetime import timedelta

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


async def closed(site: PhotoSite) -> None:
    """Wait until a deletion is complete; the clock goes on, so that its rounds follow each other."""

    async def is_closed() -> bool:
        site.clock.move(timedelta(seconds=1))
        return "photos.profile-closed.v1" in await site.types()

    await eventually(is_closed, "the profile is closed")
    await site.shelf.caught_up()
