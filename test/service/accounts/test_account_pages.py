"""The pages of accounts over the service users: in and out, the account, its devices, its end."""

import pytest
from support.pages import Pages, ShownPage
from support.users import ANN, BEN, PASSWORD, Users

from bookshelf.accounts.pages.devices import read_program
from bookshelf.accounts.pages.site import SITE
from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.identity import SignedCallers, signed_in

CALLERS = SignedCallers(b"the secret of this test")
OTHER = "another word of many letters"
SIGN_IN = {"login": "ann", "password": PASSWORD}


class UsersApi:
    """Sends the requests of pages to the service, as the gateway does: the signed client is the client."""

    def __init__(self, users: Users) -> None:
        self._users = users

    async def handle(self, request: Request) -> Response:
        caller, client = CALLERS.of(request), CALLERS.client(request)
        request.target = request.target.removeprefix("/bookshelf")
        if client is not None:
            request.headers["X-Forwarded-For"] = client.address  # type: ignore[index]  # our own
        return await self._users.answer(request, caller)


class Browser(Pages):
    """A browser whose session cookie names its person, as the gateway reads it."""

    def __init__(self, users: Users) -> None:
        super().__init__(SITE, UsersApi(users), users.clock, caller=GUEST, callers=CALLERS)
        self._users = users

    async def know(self) -> None:
        """Become the person of the session cookie."""
        session = self.cookies.get("session", "").partition(".")[0]
        account = await self._users.account_of_session(session) if session else None
        self._caller = GUEST if account is None else self._person(account, session)
        await self._users.caught_up()

    def _person(self, account: str, session: str) -> Caller:
        return signed_in(account, frozenset({"read", "write"}), session)

    async def enter(self, **fields: str) -> ShownPage:
        """Sign in, and return the answer."""
        answer = await self.post("/account/sign-in", {**SIGN_IN, **fields}, User_Agent=FIREFOX)
        await self.know()
        return answer


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
async def browser(users: Users) -> Browser:
    await users.register()
    return Browser(users)


@pytest.mark.parametrize(
    ("address", "following"),
    [
        ("/books/7/edit?x=1", "/books/7/edit?x=1"),
        *((address, "/") for address in ("", "//evil.example/", "https://evil.example/", "/account/sign-in")),
    ],
)
async def test_signing_in_leads_back_to_the_page_one_came_from(
    browser: Browser, address: str, following: str
) -> None:
    page = await browser.get(f"/account/sign-in?next={address.replace('?', '%3F').replace('=', '%3D')}")
    assert (page.status, page.headers["Cache-Control"]) == (200, "no-store")
    target = f"/account/sign-in?next={address.replace('?', '%3F').replace('=', '%3D')}"
    answer = await browser.post(target, SIGN_IN)
    assert (answer.status, answer.location) == (303, following)
    await browser.know()
    assert (await browser.get(target)).location == following
    assert "Ann Reader" in (await browser.get("/account")).words


async def test_every_failed_sign_in_has_one_text_and_no_cookie(browser: Browser) -> None:
    texts = set()
    for fields in ({"password": "wrong wrong wrong"}, {"login": "nobody"}, {"login": "@", "password": "x"}):
        page = await browser.post("/account/sign-in", {**SIGN_IN, **fields})
        assert page.status == 422
        texts.add(page.words.partition("You are not signed in")[2].partition("Handle or e-mail")[0])
    assert len(texts) == 1
    assert "Login and password do not fit together" in texts.pop()
    assert browser.cookies == {}


async def test_guesses_from_another_network_do_not_lock_a_browser_out(browser: Browser) -> None:
    guess = {**SIGN_IN, "password": "wrong wrong wrong"}
    for _ in range(10):
        await browser.post("/account/sign-in", guess, X_Forwarded_For="10.9.9.9")
    assert (await browser.post("/account/sign-in", SIGN_IN, X_Forwarded_For="10.9.9.9")).status == 422
    assert (await browser.enter()).status == 303


async def test_registering_opens_a_session_and_leads_on(users: Users) -> None:
    browser = Browser(users)
    answer = await browser.post("/account/register?next=%2Fbooks", BEN)
    assert (answer.status, answer.location) == (303, "/books")
    await browser.know()
    page = await browser.get("/account")
    assert all(text in page.words for text in ("Ben Lender", "ben@example.org", "This device"))
    assert (await browser.get("/account/register?next=%2Fbooks")).location == "/books"


async def test_all_that_is_wrong_with_a_registration_stands_at_its_fields(browser: Browser) -> None:
    page = await browser.post(
        "/account/register", {"handle": "A!", "name": "Eve", "email": "eve", "password": "short"}
    )
    assert page.status == 422
    assert [page.html.count(f'id="{field}-error"') for field in ("handle", "name", "email", "password")] == [
        *(1, 0, 1, 1)
    ]
    assert page.value("handle") == "A!"
    taken = await browser.post("/account/register", ANN, Accept_Language="de")
    assert "Diesen Benutzernamen gibt es schon." in taken.words
    assert "Zu dieser Adresse gibt es schon ein Konto." in taken.words


async def test_signing_out_ends_the_session_and_forgets_the_person(browser: Browser) -> None:
    await browser.enter()
    assert browser.cookies["bookshelf-person"] == "ann"
    answer = await browser.post("/account/sign-out", {})
    assert (answer.status, answer.location) == (303, "/account/sign-in")
    assert not {"session", "bookshelf-person"} & set(browser.cookies)
    await browser.know()
    assert "You are signed out." in (await browser.get("/account/sign-in")).words


async def test_devices_are_signed_out_one_by_one_or_all_at_once(users: Users) -> None:
    await users.register()
    here, there = Browser(users), Browser(users)
    await here.enter()
    await there.enter(remember="on")
    page = await here.get("/account")
    assert page.words.count("Firefox on Linux") == 2
    device = there.cookies["session"].partition(".")[0]
    answer = await here.post(f"/account/devices/{device}", {})
    assert (answer.status, answer.location) == (303, "/account#devices")
    assert (await here.get("/account")).words.count("Firefox on Linux") == 1
    assert (await here.post("/account/devices/s-unknown", {})).status == 303
    await there.enter()
    await here.post("/account/sign-out", {"everywhere": "on"})
    assert await users.account_of_session(there.cookies["session"].partition(".")[0]) is None


async def test_name_address_and_email_are_changed(browser: Browser, users: Users) -> None:
    await users.register(**BEN)
    await browser.enter()
    await browser.post("/account/profile", {"name": "Ann B.", "address": "1 Lane\nLondon"})
    page = await browser.get("/account")
    assert "Ann B." in page.words
    assert "1 Lane London" in page.words
    assert (await browser.get("/account/profile")).value("name") == "Ann B."
    await browser.post("/account/profile", {"name": "Ann B.", "address": ""})
    assert "1 Lane" not in (await browser.get("/account")).words
    wrong = await browser.post("/account/email", {"email": "new@example.org", "password": "wrong wrong 1"})
    assert "This is not your present password." in wrong.words
    taken = await browser.post("/account/email", {"email": "ben@example.org", "password": PASSWORD})
    assert (taken.status, "There is an account with this address." in taken.words) == (422, True)
    await browser.post("/account/email", {"email": "new@example.org", "password": PASSWORD})
    assert "new@example.org" in (await browser.get("/account")).words


async def test_another_password_keeps_this_browser_signed_in(browser: Browser, users: Users) -> None:
    await browser.enter()
    former = browser.cookies["session"]
    weak = await browser.post("/account/password", {"old_password": PASSWORD, "new_password": "ann"})
    assert 'id="new_password-error"' in weak.html
    wrong = await browser.post("/account/password", {"old_password": OTHER, "new_password": OTHER})
    assert 'id="old_password-error"' in wrong.html
    await browser.post("/account/password", {"old_password": PASSWORD, "new_password": OTHER})
    assert browser.cookies["session"] != former
    await browser.know()
    page = await browser.get("/account")
    assert "Your password is changed." in page.words
    assert page.words.count("This device") == 1
    assert await users.account_of_session(former.partition(".")[0]) is None


async def test_deleting_lists_what_goes_and_asks_for_the_password(browser: Browser, users: Users) -> None:
    await browser.enter()
    page = await browser.get("/account/delete")
    assert "your notes, reviews, quotes and descriptions" in page.words
    assert (await browser.post("/account/delete", {"password": "wrong wrong 1"})).status == 422
    answer = await browser.post("/account/delete", {"password": PASSWORD})
    assert (answer.status, answer.location) == (303, "/account/sign-in")
    assert (await users.sign_in()).status == 401


async def test_without_accounts_each_page_states_that_they_are_off(users: Users) -> None:
    pages = Pages(SITE, UsersApi(users))
    for page in ("", "/sign-in", "/register", "/sign-out", "/profile", "/email", "/password", "/delete"):
        shown = await pages.get(f"/account{page}")
        assert (shown.status, "accounts are off" in shown.words) == (200, True), page


CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "program"),
    [
        (FIREFOX, ("Firefox", "Linux", False)),
        (CHROME, ("Chrome", "Windows", False)),
        (f"{CHROME} Edg/140.0", ("Edge", "Windows", False)),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1", ("Safari", "iPhone", True)),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/140.0 Mobile Safari/537.36", ("Chrome", "Android", True)),
        *(("curl/8.14.1", ("curl", "", False)), ("", ("", "", False)), ("<b>", ("", "", False))),
    ],
)
def test_a_program_is_named_as_people_name_it(user_agent: str, program: tuple[str, str, bool]) -> None:
    assert read_program(user_agent) == program
