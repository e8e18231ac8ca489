"""The gallery at its edges: settings, people under other names, old comments, first days, lost sessions."""

from typing import Any

import pytest
from support.gallery_answers import ADDED, comment, photo
from support.pages import Pages, ScriptedApi

from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.photos.pages.site import SITE, gallery_site
from bookshelf.photos.pages.uploading import UPLOAD, size_text
from bookshelf.photos.person import LOCAL_READER, person_key

SCOPES = frozenset({"read", "write"})
ANN = Caller(actor="ann", account="ann", owner="ann", scopes=SCOPES)
MODERATOR = Caller(actor="mo", account="mo", owner="mo", scopes=SCOPES | {"photos:moderate"})


def removed(comment_id: str, text: str = "") -> tuple[str, str, None]:
    return ("DELETE", f"/photos/p-1/comments/{comment_id}{text}", None)


@pytest.fixture
def api() -> ScriptedApi:
    scripted = ScriptedApi()
    scripted.answer("GET", "/photos", 200, [photo(comments=11)])
    scripted.answer("GET", "/photos/p-1", 200, photo(comments=11))
    scripted.answer("GET", "/photos/p-1/comments", 200, [comment(), comment("c-11", "mo")])
    scripted.answer("POST", "/photos/p-1/comments", 201, {"id": "c-2"})
    for number in ("c-1", "c-11", "c-999"):
        scripted.answer("DELETE", f"/photos/p-1/comments/{number}", 204)
    return scripted


async def test_a_comment_may_be_as_long_as_the_setting_allows(api: ScriptedApi) -> None:
    pages = Pages(gallery_site(comment_most=10), api, caller=ANN)
    assert 'data-most="10"' in (await pages.get("/gallery")).html
    assert 'data-most="10"' in (await pages.get("/gallery/photos/p-1")).html
    refused = await pages.post("/gallery/photos/p-1", {"text": "x" * 11})
    assert "Write 1 to 10 characters." in refused.words
    assert api.sent == []
    longer = Pages(gallery_site(comment_most=6000), api, caller=ANN)
    assert (await longer.post("/gallery/photos/p-1", {"text": "x" * 6000})).status == 303


async def test_a_file_may_be_as_large_as_the_setting_allows(api: ScriptedApi) -> None:
    pages = Pages(gallery_site(file_bytes=3 << 20), api, caller=ANN)
    shown = await pages.get("/gallery/upload")
    assert f'data-most="{3 << 20}"' in shown.html
    assert "up to 3 MB" in shown.words
    api.answer("POST", "/photos", 413, {"detail": "no"})
    refused = await pages.upload("/gallery/upload", {"title": "Low tide"}, {"file": ("x", b"x")})
    assert "This picture is larger than 3 MB." in refused.words
    assert size_text(512 << 10) == "512 kB"


def test_a_photo_has_as_long_on_its_page_as_in_the_api() -> None:
    waits = {route.method: route.deadline_s for route in SITE.routes if route.path == UPLOAD}
    assert waits == {"GET": None, "POST": 600.0}


@pytest.mark.parametrize(
    ("caller", "owner"),
    [
        (Caller(actor="own", account="own", owner=None, scopes=SCOPES), LOCAL_READER),
        (Caller(actor="a|b", account="a|b", owner="a|b", scopes=SCOPES), person_key("a|b")),
    ],
)
async def test_one_s_own_photo_is_one_s_own_under_the_name_that_the_api_uses(
    api: ScriptedApi, caller: Caller, owner: str
) -> None:
    api.answer("GET", "/photos/p-1", 200, photo(owner={"id": owner, "name": "Me"}))
    shown = await Pages(SITE, api, caller=caller).get("/gallery/photos/p-1")
    assert "/gallery/photos/p-1/edit" in shown.html
    assert "/comments/c-1/remove" in shown.html


async def test_more_comments_take_the_place_of_those_of_the_card(api: ScriptedApi) -> None:
    shown = await Pages(SITE, api, caller=ANN).get("/gallery")
    assert 'hx-get="/gallery/photos/p-1" hx-target="#comments-p-1"' in shown.html
    assert "offset" not in shown.html


async def test_a_moderator_s_own_older_comment_needs_no_reason(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=MODERATOR)
    assert 'name="reason"' not in (await pages.get("/gallery/photos/p-1/comments/c-11/remove")).html
    await pages.post("/gallery/photos/p-1/comments/c-11/remove", {})
    assert api.sent == [removed("c-11")]


async def test_the_api_decides_whether_a_comment_that_is_not_found_needs_a_reason(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=MODERATOR)
    path = "/gallery/photos/p-1/comments/c-999/remove"
    assert "A comment of your own needs none." in (await pages.get(path)).words
    assert (await pages.post(path, {})).status == 303
    assert api.sent == [removed("c-999")]
    needed: dict[str, Any] = {"detail": "no", "errors": [{"pointer": "/text", "detail": "is needed"}]}
    api.answer("DELETE", "/photos/p-1/comments/c-999", 422, needed)
    asked = await pages.post(path, {})
    assert "Write the reason" in asked.words
    assert 'id="reason-error"' in asked.html


@pytest.mark.parametrize("day", ["0001-01-01", "2000-01-01"])
async def test_no_day_is_before_the_first(api: ScriptedApi, day: str) -> None:
    shown = await Pages(SITE, api, caller=ANN).get(f"/gallery/hot?day={day}")
    assert shown.status == 200
    assert "The day before" not in shown.words
    assert "The day after" in shown.html
    assert api.requests[-1].target.endswith("day=2000-01-01")


async def test_a_profile_keeps_a_picture_that_is_not_among_the_newest(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=ANN)
    me = {"id": "ann", "name": "Ann", "about": "", "avatar": "p-old", "since": ADDED}
    api.answer("GET", "/me", 200, me)
    api.answer("GET", "/me/photos", 200, [photo()])
    api.answer("PATCH", "/me", 200, me)
    assert 'name="avatar" value="p-old" checked' in (await pages.get("/gallery/settings")).html
    await pages.post("/gallery/settings", {"about": "Hi"})
    await pages.post("/gallery/settings", {"about": "Hi", "avatar": ""})
    assert api.sent == [("PATCH", "/me", {"about": "Hi"}), ("PATCH", "/me", {"about": "Hi", "avatar": ""})]


async def test_a_profile_begins_with_a_name(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=ANN)
    shown = await pages.get("/gallery/settings")
    refused = await pages.post("/gallery/settings", {"begins": shown.value("begins"), "name": " "})
    assert refused.status == 422
    assert "Write a name." in refused.words
    assert api.sent == []


async def test_a_comment_is_kept_when_the_session_is_over(api: ScriptedApi) -> None:
    api.answer("POST", "/photos/p-1/comments", 401, {"detail": "sign in first"})
    answer = await Pages(SITE, api, caller=GUEST).post("/gallery/photos/p-1", {"text": "What a light!"})
    assert answer.status == 401
    assert "What a light!" in answer.html
