"""The pages of the gallery, over scripted answers: what they send, and what they show."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.fixed_infrastructure import FixedClock
from support.gallery_answers import ADDED, comment, photo
from support.pages import Pages, ScriptedApi

from bookshelf.cqrs.handler import GUEST, LOCAL, Caller
from bookshelf.photos.pages.models import ago
from bookshelf.photos.pages.site import SITE, gallery_site

ANN = Caller(actor="ann", account="ann", owner="ann", scopes=frozenset({"read", "write"}))
BEN = Caller(actor="ben", account="ben", owner="ben", scopes=frozenset({"read", "write"}))
MODERATOR = Caller(
    actor="mo", account="mo", owner="mo", scopes=frozenset({"read", "write", "photos:moderate"})
)


@pytest.fixture
def api() -> ScriptedApi:
    scripted = ScriptedApi()
    scripted.answer("GET", "/photos", 200, [photo()])
    scripted.answer("GET", "/photos/p-1", 200, photo())
    scripted.answer("GET", "/photos/p-1/comments", 200, [comment()])
    scripted.answer("PUT", "/photos/p-1/vote", 200, {"photo": "p-1", "mine": 1})
    scripted.answer("DELETE", "/photos/p-1/vote", 200, {"photo": "p-1", "mine": None})
    scripted.answer("POST", "/photos/p-1/comments", 201, {"id": "c-2"})
    scripted.answer("DELETE", "/photos/p-1", 204)
    scripted.answer("DELETE", "/photos/p-1/comments/c-1", 204)
    scripted.answer("PATCH", "/photos/p-1", 200, {})
    scripted.answer("POST", "/photos", 201, {"id": "p-2"})
    return scripted


@pytest.fixture
def ann(api: ScriptedApi) -> Pages:
    return Pages(SITE, api, caller=ANN)


@pytest.fixture
def ben(api: ScriptedApi) -> Pages:
    return Pages(SITE, api, caller=BEN)


async def test_a_card_has_the_pictures_that_fit_and_the_exact_time(api: ScriptedApi, ann: Pages) -> None:
    shown = await ann.get("/gallery")
    address = "/bookshelf/photos/p-1/image?size="
    assert f"{address}320 320w, {address}1024 1024w, {address}2048 1600w" in shown.html
    assert 'alt="Wet sand to the horizon"' in shown.html
    assert 'datetime="2026-02-28T12:00:00+00:00"' in shown.html
    assert "75 %" in shown.words
    assert api.requests[0].target == "/bookshelf/photos?sort=fresh&rows=12"


async def test_a_guest_is_led_to_the_question_to_sign_in_and_back_to_the_card(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=GUEST)
    shown = await pages.get("/gallery/trending")
    link = 'href="/gallery/sign-in?next=%2Fgallery%2Ftrending%23photo-p-1"'
    assert shown.html.count(link) == 3
    asked = await pages.get("/gallery/sign-in?next=%2Fgallery%2Ftrending%23photo-p-1")
    assert 'href="/account/sign-in?next=%2Fgallery%2Ftrending%23photo-p-1"' in asked.html
    foreign = await pages.get("/gallery/sign-in?next=//elsewhere.example")
    assert 'href="/account/sign-in?next=%2Fgallery"' in foreign.html
    voted = await pages.post("/gallery/photos/p-1/card", {"way": "up", "_back": "/gallery#photo-p-1"})
    assert voted.location == "/account/sign-in?next=%2Fgallery%23photo-p-1"
    assert api.sent == []


@pytest.mark.parametrize(
    ("way", "sent"),
    [
        ("up", [("PUT", "/photos/p-1/vote", {"way": "up"})]),
        ("down", [("PUT", "/photos/p-1/vote", {"way": "down"})]),
        ("none", [("DELETE", "/photos/p-1/vote", None)]),
        ("sideways", []),
    ],
)
async def test_a_vote_goes_back_to_its_card(api: ScriptedApi, ben: Pages, way: str, sent: list[Any]) -> None:
    answer = await ben.post("/gallery/photos/p-1/card", {"way": way, "_back": "/gallery/hot#photo-p-1"})
    assert (answer.status, answer.location) == (303, "/gallery/hot#photo-p-1")
    assert api.sent == sent


@pytest.mark.parametrize(
    ("mine", "up", "down"), [(1, "none", "down"), (-1, "up", "none"), (None, "up", "down")]
)
async def test_the_button_of_ones_own_vote_withdraws_it(
    api: ScriptedApi, ben: Pages, mine: int | None, up: str, down: str
) -> None:
    api.answer("GET", "/photos/p-1", 200, photo(mine=mine))
    shown = await ben.get("/gallery/photos/p-1/card")
    pressed = {1: "true"}.get(mine or 0, "false"), {-1: "true"}.get(mine or 0, "false")
    assert f'name="way" value="{up}" aria-pressed="{pressed[0]}"' in shown.html
    assert f'name="way" value="{down}" aria-pressed="{pressed[1]}"' in shown.html


async def test_a_vote_that_is_sent_twice_has_one_key(api: ScriptedApi, ben: Pages) -> None:
    form = {"way": "up", "_key": "k-1"}
    for _ in range(2):
        await ben.post("/gallery/photos/p-1/card", form)
    keys = [one.headers["Idempotency-Key"] for one in api.requests if one.method == "PUT"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_comment_is_added_without_the_spaces_around_it(api: ScriptedApi, ben: Pages) -> None:
    answer = await ben.post("/gallery/photos/p-1", {"text": "  Lovely \n"})
    assert answer.location == "/gallery/photos/p-1#comments"
    assert api.sent == [("POST", "/photos/p-1/comments", {"text": "Lovely"})]


@pytest.mark.parametrize("text", ["", "   ", "x" * 256])
async def test_a_comment_of_no_or_too_many_letters_is_shown_again(
    api: ScriptedApi, ben: Pages, text: str
) -> None:
    answer = await ben.post("/gallery/photos/p-1", {"text": text})
    assert answer.status == 422
    assert "Write 1 to 255 characters." in answer.words
    assert text.strip() in answer.html
    assert api.sent == []


async def test_hot_names_its_day_in_its_zone_and_leads_to_the_day_before(api: ScriptedApi) -> None:
    clock = FixedClock(datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
    pages = Pages(gallery_site("Europe/Berlin"), api, clock=clock, caller=ANN)
    shown = await pages.get("/gallery/hot")
    assert api.requests[0].target == "/bookshelf/photos?sort=hot&rows=12&day=2026-03-01"
    assert "Votes of Sunday 1 March (Europe/Berlin)" in shown.words
    assert 'href="/gallery/hot?day=2026-02-28"' in shown.html
    assert "The day after" not in shown.words
    before = await pages.get("/gallery/hot?day=2026-02-28")
    assert 'href="/gallery/hot" aria-label="The day after"' in before.html
    later = await pages.get("/gallery/hot?day=2030-01-01")
    assert "Votes of Sunday 1 March" in later.words


async def test_a_list_that_cannot_be_read_offers_to_try_again(api: ScriptedApi, ann: Pages) -> None:
    api.answer("GET", "/photos", 503, {"detail": "busy"})
    shown = await ann.get("/gallery")
    assert "The photos cannot be read right now. Try again" in shown.words


async def test_a_full_page_has_a_link_to_more(api: ScriptedApi, ann: Pages) -> None:
    api.answer("GET", "/photos", 200, [photo()], Link='</photos?sort=fresh&rows=12&after=abc>; rel="next"')
    assert 'href="/gallery?after=abc"' in (await ann.get("/gallery")).html
    api.answer("GET", "/photos", 200, [photo()])
    assert "Load more" not in (await ann.get("/gallery")).words.replace("Load more comments", "")


async def test_the_owner_edits_and_removes_a_photo_and_others_do_not(
    api: ScriptedApi, ann: Pages, ben: Pages
) -> None:
    assert "/gallery/photos/p-1/edit" in (await ann.get("/gallery/photos/p-1")).html
    assert "/gallery/photos/p-1/remove" not in (await ben.get("/gallery/photos/p-1")).html
    form = {"title": "Ebb", "description": "", "credit": "", "_version": '"3"'}
    saved = await ann.post("/gallery/photos/p-1/edit", form)
    assert saved.location == "/gallery/photos/p-1"
    assert api.requests[-1].headers["If-Match"] == '"3"'
    removed = await ann.post("/gallery/photos/p-1/remove", {})
    assert removed.location == "/gallery/me/photos"
    assert api.sent == [
        ("PATCH", "/photos/p-1", {"title": "Ebb", "description": "", "credit": ""}),
        ("DELETE", "/photos/p-1", None),
    ]


async def test_a_moderator_removes_with_a_reason(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=MODERATOR)
    assert "Remove as a moderator" in (await pages.get("/gallery/photos/p-1")).words
    refused = await pages.post("/gallery/photos/p-1/remove", {"reason": " "})
    assert refused.status == 422
    assert "Write the reason" in refused.words
    await pages.post("/gallery/photos/p-1/remove", {"reason": "A person who has not agreed"})
    await pages.post("/gallery/photos/p-1/comments/c-1/remove", {"reason": "Rude"})
    assert api.sent == [
        ("DELETE", "/photos/p-1?text=A+person+who+has+not+agreed", None),
        ("DELETE", "/photos/p-1/comments/c-1?text=Rude", None),
    ]


@pytest.mark.parametrize(("caller", "inputs"), [(ANN, 0), (BEN, 0), (MODERATOR, 1), (LOCAL, 1)])
async def test_only_a_moderator_is_asked_why_a_comment_is_removed(
    api: ScriptedApi, caller: Caller, inputs: int
) -> None:
    pages = Pages(SITE, api, caller=caller)
    assert "/comments/c-1/remove" in (await pages.get("/gallery/photos/p-1")).html
    shown = await pages.get("/gallery/photos/p-1/comments/c-1/remove")
    assert shown.html.count('name="reason"') == inputs


async def test_a_photo_is_handed_to_the_api_as_a_form_with_its_file(api: ScriptedApi, ann: Pages) -> None:
    content = b"\xff\xd8\r\n--c\r\nnot the end"
    answer = await ann.upload("/gallery/upload", {"title": "Low tide"}, {"file": ("../../x.jpg", content)})
    assert answer.location == "/gallery/photos/p-2"
    sent = api.requests[-1]
    assert sent.headers["Content-Type"].startswith("multipart/form-data; boundary=photo-")
    body = await sent.body.read(1 << 20)
    assert content in body
    assert b'name="title"\r\n\r\nLow tide\r\n' in body
    assert b"x.jpg" not in body
    assert b"credit" not in body


@pytest.mark.parametrize(
    ("status", "errors", "words"),
    [
        (413, [], "This picture is larger than 20 MB."),
        (415, [], "This is no picture that can be shown"),
        (422, [], "This picture cannot be read."),
        (422, [{"pointer": "/title", "detail": "bad"}], "Only letters, digits and usual signs"),
    ],
)
async def test_a_refused_upload_is_explained_and_its_texts_are_kept(
    api: ScriptedApi, ann: Pages, status: int, errors: list[Mapping[str, str]], words: str
) -> None:
    api.answer("POST", "/photos", status, {"type": "urn:bookshelf:x", "detail": "no", "errors": errors})
    answer = await ann.upload("/gallery/upload", {"title": "My title"}, {"file": ("x", b"x")})
    assert answer.status == 422
    assert words in answer.words
    assert answer.value("title") == "My title"


async def test_an_upload_needs_a_file_and_a_title(api: ScriptedApi, ann: Pages) -> None:
    answer = await ann.upload("/gallery/upload", {"title": " "}, {})
    assert answer.status == 422
    assert "Choose a picture." in answer.words
    assert "Write a title." in answer.words
    assert api.sent == []


async def test_a_shared_photo_has_its_picture_at_an_absolute_address(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=GUEST)
    shown = await pages.get(
        "/gallery/photos/p-1", X_Forwarded_Host="photos.example.org", X_Forwarded_Proto="https"
    )
    image = "https://photos.example.org/bookshelf/photos/p-1/image?size=1024"
    assert f'<meta property="og:image" content="{image}">' in shown.html


async def test_a_former_member_has_no_name(api: ScriptedApi, ann: Pages) -> None:
    api.answer("GET", "/photos", 200, [photo(owner={"id": "x", "name": None})])
    shown = await ann.get("/gallery")
    assert "former member" in shown.words
    assert "/gallery/people/x" not in shown.html


async def test_a_removed_photo_is_no_longer_there(api: ScriptedApi, ann: Pages) -> None:
    api.answer("GET", "/photos/p-1", 410, {"type": "urn:bookshelf:problem:gone", "detail": "was removed"})
    shown = await ann.get("/gallery/photos/p-1")
    assert shown.status == 410
    assert "This is not here any more" in shown.words


async def test_one_s_own_things_are_listed(api: ScriptedApi, ann: Pages) -> None:
    api.answer("GET", "/me/photos", 200, [photo()])
    api.answer("GET", "/me/comments", 200, [{**comment(), "photo": photo()}])
    api.answer("GET", "/me/votes", 200, [{"photo": photo(), "way": "down", "at": ADDED}])
    photos = await ann.get("/gallery/me/photos")
    assert "liked 75 % up 3 down 1 votes 4 comments 1" in photos.words
    assert "How long was it?" in (await ann.get("/gallery/me/comments")).words
    assert "against it" in (await ann.get("/gallery/me/votes")).words


async def test_the_profile_is_saved_and_deleted(api: ScriptedApi, ann: Pages) -> None:
    me = {"id": "ann", "name": "Ann", "about": "Hello", "avatar": "", "since": ADDED}
    api.answer("GET", "/me", 200, me)
    api.answer("GET", "/me/photos", 200, [photo()])
    api.answer("PATCH", "/me", 200, me)
    api.answer("DELETE", "/me", 202)
    assert "Member since 28 February 2026" in (await ann.get("/gallery/settings")).words
    saved = await ann.post("/gallery/settings", {"about": "Hi", "avatar": "p-1"})
    assert saved.location == "/gallery/settings"
    assert "your comments and your votes" in (await ann.get("/gallery/settings/delete")).words
    assert (await ann.post("/gallery/settings/delete", {})).location == "/gallery"
    assert api.sent == [("PATCH", "/me", {"about": "Hi", "avatar": "p-1"}), ("DELETE", "/me", None)]


async def test_a_person_without_a_profile_makes_one(api: ScriptedApi, ann: Pages) -> None:
    api.answer("POST", "/profiles", 201, {})
    assert "You have no profile yet" in (await ann.get("/gallery/settings")).words
    await ann.post("/gallery/settings", {"begins": "on", "name": "Ann", "about": "Hi"})
    assert api.sent == [("POST", "/profiles", {"name": "Ann", "about": "Hi"})]
    api.answer("GET", "/me", 410, {"detail": "gone"})
    assert "Your profile was deleted" in (await ann.get("/gallery/settings")).words


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (-5, "", ""),
        (59, "", ""),
        (60, "1 minute ago", "vor 1 Minute"),
        (7200, "2 hours ago", "vor 2 Stunden"),
        (86_400 * 3, "3 days ago", "vor 3 Tagen"),
    ],
)
def test_times_are_relative(seconds: int, english: str, german: str) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    then = now - timedelta(seconds=seconds)
    assert (ago(then, now, "en"), ago(then, now, "de")) == (english, german)
