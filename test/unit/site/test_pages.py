"""Pages in process: forms, redirects, errors, conflicts, double submission, and what is sent to the API."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.pages import Pages, ScriptedApi

from bookshelf.http.message import Request, Response
from bookshelf.site.api_adapters import FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.frame_pages import FRAME_PAGES, SAVED, GalleryForm, GalleryModel, show_gallery
from bookshelf.site.page import Link, Page, PageRoute, Redirect, SiteParts
from bookshelf.site.page_request import PageRequest
from bookshelf.site.routes import Site

THING = {"title": "Dune"}


async def show(request: PageRequest) -> Page:
    thing = await request.api.get(f"/things/{request.path['id']}")
    shown = await show_gallery(request)
    assert isinstance(shown.model, GalleryModel)
    return Page(
        "design.html",
        shown.model,
        title="A thing",
        form=GalleryForm(title=thing.body["title"]),
        version=thing.version,
    )


async def save(request: PageRequest, form: GalleryForm) -> Redirect:
    if form.title == "wrong":
        raise FormRefused(FieldFault("title", "Not this one."))
    result = await request.api.put(f"/things/{request.path['id']}", form.to_body(), version=request.version)
    return Redirect("/things/1", notice="saved", change=result.change)


class ThingForm(GalleryForm):
    """A form with a limited field."""

    pages: int | None = None


SITE = Site(
    SiteParts(
        name="Things",
        package="bookshelf.site",
        pages=(PageRoute("/things/{id}", get=show, post=save, form=ThingForm, title="A thing"), *FRAME_PAGES),
        notices=SAVED,
        undo="/changes",
    )
)


@pytest.fixture
def api() -> ScriptedApi:
    scripted = ScriptedApi()
    scripted.answer("GET", "/things/1", 200, THING, ETag='"7"')
    scripted.answer("PUT", "/things/1", 200, None, Bookshelf_Position="bookshelf/0@9", Bookshelf_Change="c-1")
    return scripted


@pytest.fixture
def pages(api: ScriptedApi) -> Pages:
    return Pages(SITE, api)


def key(api: ScriptedApi) -> str:
    return next(one.headers["Idempotency-Key"] for one in reversed(api.requests) if one.method == "PUT")


async def test_a_page_has_the_policy_and_an_entity_tag(pages: Pages) -> None:
    page = await pages.get("/things/1")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "private, no-cache"
    again = await pages.get("/things/1", If_None_Match=page.headers["ETag"])
    assert (again.status, again.html) == (304, "")


async def test_a_form_becomes_a_command_a_redirect_and_a_notice_with_undo(
    pages: Pages, api: ScriptedApi
) -> None:
    answer = await pages.post("/things/1", {"title": "Dune 2", "_version": '"7"'})
    assert (answer.status, answer.location) == (303, "/things/1")
    assert api.sent == [("PUT", "/things/1", {"title": "Dune 2", "kind": "one", "flag": False})]
    assert api.requests[-1].headers["If-Match"] == '"7"'
    shown = await pages.get("/things/1")
    assert "Saved." in shown.words
    assert shown.value("change") == "c-1"
    assert api.requests[-1].headers["Bookshelf-After"] == "bookshelf/0@9"
    assert "Saved." not in (await pages.get("/things/1")).words


async def test_the_same_form_has_the_same_key_and_another_content_has_another(
    pages: Pages, api: ScriptedApi
) -> None:
    form: dict[str, Any] = {"title": "Dune 2", "_key": "one"}
    await pages.post("/things/1", form)
    first = key(api)
    await pages.post("/things/1", form)
    assert key(api) == first
    await pages.post("/things/1", {**form, "title": "Dune 3"})
    assert key(api) != first
    await pages.post("/things/1", {**form, "_key": "two"})
    assert key(api) != first


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"title": "typed", "pages": "many"}, "Write a whole number."),
        ({"title": "wrong"}, "Not this one."),
    ],
)
async def test_a_wrong_field_is_explained_and_nothing_typed_is_lost(
    pages: Pages, api: ScriptedApi, fields: Mapping[str, str], text: str
) -> None:
    page = await pages.post("/things/1", fields)
    assert page.status == 422
    assert page.value("title") == fields["title"]
    assert "<title>Error: " in page.html
    assert api.sent == []
    if "title" in text or "Not" in text:
        assert text in page.words


@pytest.mark.parametrize("status", [403, 409, 503])
async def test_a_refusal_of_the_api_shows_the_form_with_what_was_typed(
    pages: Pages, api: ScriptedApi, status: int
) -> None:
    api.answer("PUT", "/things/1", status, {"type": "urn:bookshelf:problem:refused", "detail": "not now"})
    page = await pages.post("/things/1", {"title": "typed"})
    assert (page.status, page.value("title")) == (status, "typed")


async def test_a_refused_field_of_the_api_is_shown_at_the_field(pages: Pages, api: ScriptedApi) -> None:
    errors = [{"detail": "is too long", "pointer": "/title"}]
    api.answer(
        "PUT", "/things/1", 422, {"type": "urn:bookshelf:problem:invalid", "detail": "x", "errors": errors}
    )
    page = await pages.post("/things/1", {"title": "typed"})
    assert page.status == 422
    assert 'aria-invalid="true"' in page.html
    assert "is too long" in page.words


async def test_a_conflict_shows_both_versions(pages: Pages, api: ScriptedApi) -> None:
    api.answer("PUT", "/things/1", 412, {"type": "urn:bookshelf:problem:changed", "detail": "changed"})
    api.answer("GET", "/things/1", 200, {"title": "theirs"}, ETag='"8"')
    page = await pages.post("/things/1", {"title": "mine", "_version": '"7"'})
    assert page.status == 412
    assert page.value("title") == "mine"
    assert "Stored now: theirs" in page.words


async def test_an_unknown_thing_and_an_unknown_address_are_pages(pages: Pages) -> None:
    for address in ("/things/2", "/nowhere/at-all"):
        page = await pages.get(address)
        assert page.status == 404
        assert "There is nothing at this address" in page.words


async def test_an_outage_is_a_page_that_offers_to_try_again(pages: Pages, api: ScriptedApi) -> None:
    api.answer("GET", "/things/1", 503, {"detail": "its storage cannot be used just now"})
    page = await pages.get("/things/1")
    assert (page.status, page.headers["Retry-After"]) == (503, "1")
    assert "Try again" in page.words


async def test_typed_content_is_shown_if_the_page_itself_cannot_be_read(
    pages: Pages, api: ScriptedApi
) -> None:
    api.answer("GET", "/things/1", 503, {"detail": "away"})
    api.answer("PUT", "/things/1", 503, {"detail": "away"})
    page = await pages.post("/things/1", {"title": "a long text"})
    assert page.status == 503
    assert "a long text" in page.words


class LaggingApi(ScriptedApi):
    """Answers that no view has the positions that are asked for."""

    async def handle(self, request: Request) -> Response:
        if "Bookshelf-After" in request.headers:
            return Response(503, {}, b'{"type": "urn:bookshelf:problem:behind", "detail": "behind"}')
        return await super().handle(request)


async def test_a_view_that_has_not_caught_up_is_no_error() -> None:
    api = LaggingApi()
    api.answer("GET", "/things/1", 200, THING)
    page = await Pages(SITE, api).get("/things/1", Bookshelf_After="bookshelf/0@9")
    assert page.status == 200
    assert "Saved. The list is not up to date yet." in page.words
    assert page.headers["Cache-Control"] == "no-store"


async def test_settings_are_kept_and_used(pages: Pages) -> None:
    await pages.submit(
        "/settings", {"theme": "dark", "language": "de", "zone": "Europe/Berlin", "keys": "off"}
    )
    page = await pages.get("/settings")
    assert '<html lang="de" data-theme="dark" data-keys="off">' in page.html
    assert "Einstellungen" in page.words


async def test_a_redirect_leads_to_no_other_host(pages: Pages) -> None:
    answer = await pages.post("/settings", {"theme": "dark", "_back": "//evil.example/"})
    assert answer.location == "/settings"


async def count_things(request: PageRequest) -> Mapping[str, int]:
    things = await request.api.get("/things/1")
    return {"/things": 1200 if things.body["title"] else 0, "/none": 0}


COUNTED = Site(
    SiteParts(
        name="Things",
        package="bookshelf.site",
        pages=SITE.parts.pages,
        links=(Link("/things", "Things", "list"), Link("/none", "None", "list")),
        counts=count_things,
    )
)


async def test_a_link_of_the_bar_shows_a_number_also_above_a_form_that_was_refused(api: ScriptedApi) -> None:
    pages = Pages(COUNTED, api)
    shown = await pages.get("/things/1")
    assert 'Things<b class="count num">1,200</b>' in shown.html
    assert shown.html.count('class="count') == 2  # in both bars, and no 0
    again = await pages.post("/things/1", {"_version": '"7"', "title": "wrong"})
    assert again.status == 422
    assert 'Things<b class="count num">1,200</b>' in again.html
