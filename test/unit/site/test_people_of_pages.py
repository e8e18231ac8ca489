"""Pages while there are accounts: guests sign in first, the bar has the person, passwords stay hidden."""

import pytest
from support.pages import FORM, Pages, ScriptedApi, ShownPage

from bookshelf.cqrs.handler import GUEST, LOCAL, Caller
from bookshelf.http.message import read_response, request
from bookshelf.http.problem import Problem
from bookshelf.site.frame_pages import show_gallery
from bookshelf.site.page import Form, Link, Page, PageRoute, Redirect, SearchField, SiteParts
from bookshelf.site.page_request import PageRequest
from bookshelf.site.page_response import following
from bookshelf.site.preferences import person_cookie, read_person
from bookshelf.site.routes import Site

ANN = Caller(actor="a-1", account="a-1", owner="a-1", scopes=frozenset({"read"}), session="s-1")
SECRET = " hunter2 "  # noqa: S105 (a test's)


class LockForm(Form):
    """A form with a password."""

    title: str = ""
    password: str = ""


async def show(request: PageRequest) -> Page:
    await request.api.get("/things")
    return await show_gallery(request)


async def save(request: PageRequest, form: LockForm) -> Redirect:
    await request.api.put("/things", {"password": form.password})
    return Redirect("/locks", cookies=("one=1; Path=/", "two=2; Path=/"))


SITE = Site(
    SiteParts(
        name="Locks",
        package="bookshelf.site",
        search=SearchField("/locks", "q", "Search"),
        action=Link("/locks/add", "Add", "plus"),
        footer=(Link("/shop", "Shop", site="/shop"),),
        pages=(PageRoute("/locks", get=show, post=save, form=LockForm, title="A lock"),),
    )
)


@pytest.fixture
def api() -> ScriptedApi:
    scripted = ScriptedApi()
    scripted.answer("GET", "/things", 200, {})
    scripted.answer("PUT", "/things", 200, {})
    return scripted


async def refused(kind: str, method: str = "GET", content: bytes = b"") -> ShownPage:
    made = request(method, "/locks?x=1&y=2", content, Content_Type=FORM)
    response = await SITE.error_page(made, Problem(kind, "sign in first"))
    html = (await read_response(response, 1 << 20)).decode()
    return ShownPage(response.status, response.headers, html)  # type: ignore[arg-type]  # of pages


async def test_a_guest_is_sent_from_a_page_to_sign_in_and_comes_back() -> None:
    page = await refused("unauthenticated")
    assert page.status == 303
    assert page.location == "/account/sign-in?next=%2Flocks%3Fx%3D1%26y%3D2"


@pytest.mark.parametrize(("kind", "status"), [("unauthenticated", 401), ("cross-origin", 403)])
async def test_a_refused_form_shows_what_was_typed_but_no_password(kind: str, status: int) -> None:
    page = await refused(kind, "POST", b"title=A+long+text&_key=k&password=hunter2&old_password=hunter1")
    assert page.status == status
    assert "A long text" in page.html
    assert "hunter" not in page.html


async def test_a_page_that_one_may_not_see_is_no_form_from_elsewhere() -> None:
    assert "You may not see or change this" in (await refused("forbidden")).words
    assert "This is not allowed from here" in (await refused("cross-origin", "POST")).words


async def test_a_session_that_is_over_leads_to_signing_in(api: ScriptedApi) -> None:
    api.answer("GET", "/things", 401, {"detail": "sign in first"})
    page = await Pages(SITE, api, caller=ANN).get("/locks")
    assert (page.status, page.location) == (303, "/account/sign-in?next=%2Flocks")
    assert (await Pages(SITE, api, caller=LOCAL).get("/locks")).status == 401


async def test_a_password_is_sent_as_it_was_typed_and_not_shown_again(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=ANN)
    assert (await pages.post("/locks", {"password": SECRET})).status == 303
    assert api.sent == [("PUT", "/things", {"password": SECRET})]
    api.answer("PUT", "/things", 422, {"detail": "no", "errors": [{"detail": "no", "pointer": "/password"}]})
    again = await pages.post("/locks", {"title": "typed", "password": SECRET})
    assert again.value("title") == "typed"
    api.answer("GET", "/things", 503, {"detail": "away"})
    broken = await pages.post("/locks", {"title": "typed", "password": SECRET})
    assert (again.status, broken.status) == (422, 503)
    assert "hunter2" not in again.html + broken.html


async def test_a_redirect_may_set_several_cookies(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=ANN)
    await pages.post("/locks", {})
    assert pages.cookies == {"one": "1", "two": "2"}


async def test_the_bar_shows_the_person_or_the_ways_in(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=ANN)
    pages.cookies["bookshelf-person"] = "ann%3Cb%3E"
    shown = await pages.get("/locks")
    assert 'href="/account"' in shown.html
    assert "ann&lt;b&gt;" in shown.html
    guest = await Pages(SITE, api, caller=GUEST).get("/locks?x=1")
    ways = [f'href="/account/{page}?next=%2Flocks%3Fx%3D1"' for page in ("sign-in", "register")]
    assert all(way in guest.html for way in ways)
    for kept in ('role="search"', 'href="/locks/add"'):  # which are of no use to a guest
        assert (kept in shown.html, kept in guest.html) == (True, False)
    assert "/account" not in (await Pages(SITE, api).get("/locks")).html


async def test_a_page_names_its_client_to_the_api_while_there_are_accounts(api: ScriptedApi) -> None:
    named = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https"}
    await Pages(SITE, api, caller=ANN).get("/locks", **named)
    assert api.requests[-1].headers["Bookshelf-Client"] == "203.0.113.9 https"
    await Pages(SITE, api).get("/locks", **named)
    assert "Bookshelf-Client" not in api.requests[-1].headers


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [("/books?q=x", "/books?q=x"), ("/account/register?next=%2Fbooks", "/books"), ("/account/sign-in", "/")],
)
def test_a_guest_goes_on_where_the_page_of_signing_in_leads(address: str, leads_to: str) -> None:
    assert following(address) == leads_to


@pytest.mark.parametrize("name", ["ann", "Ann Reader; Path=/x", "安", "a" * 300, "a\nb", ""])
def test_the_name_in_the_bar_is_kept_by_a_cookie_and_checked(name: str) -> None:
    pair = person_cookie(name).partition(";")[0]
    key, _, value = pair.partition("=")
    assert value.isascii()
    assert not set(value) & set('",; \\\n')
    assert read_person({key: value}) == ("" if "\n" in name else name[:100])


async def test_a_link_to_another_site_is_shown_where_that_is_routed(api: ScriptedApi) -> None:
    async def shown(routed: str) -> bool:
        headers = {"Bookshelf_Sites": routed} if routed else {}
        return "/shop" in (await Pages(SITE, api).get("/locks", **headers)).html

    assert await shown("/ /shop")
    assert await shown("")  # without a gateway it is unknown
    assert not await shown("/ /shops")
