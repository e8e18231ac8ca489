"""The pages of signing in, registering and signing out; afterwards a person is where they came from."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.accounts.pages.refusals import TEXTS, no_fault, refusals_explained
from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.site.api_adapters import FieldFault, target
from bookshelf.site.page import ACCOUNT, REGISTER, SIGN_IN, Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest, Submission, safe_address
from bookshelf.site.preferences import SIGNED_OUT, person_cookie

SIGN_OUT = f"{ACCOUNT}/sign-out"
NOTICES = {
    "signed-out": _("You are signed out."),
    "signed-out-everywhere": _("You are signed out on all devices."),
    "nearly-registered": _("Your account is nearly there. Sign in in a moment."),
}
_UNAUTHENTICATED, _ACCEPTED = 401, 202
#: Seconds of a session that is remembered.
_REMEMBERED_S = 30 * 86400
#: The name of the cookie of a device that has signed in before: others' guesses do not lock it out.
_DEVICE = "device"
_FAILED = _("Login and password do not fit together, or sign-in is locked for a time.")
_BLOCKED = _("Too many sign-ins have failed from your network. Try again in 15 minutes.")
_CROWDED = _("Too many accounts were made from your network. Try again in an hour.")


class NextQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The address to go to afterwards."""

    next: str = ""


class SignInForm(Form):
    """What a sign-in needs."""

    login: Annotated[str, Meta(max_length=1000)]
    password: Annotated[str, Meta(max_length=5000)]
    remember: bool = False


class RegisterForm(Form):
    """What a new account needs."""

    handle: Annotated[str, Meta(max_length=1000)]
    name: Annotated[str, Meta(max_length=1000)]
    email: Annotated[str, Meta(max_length=1000)]
    password: Annotated[str, Meta(max_length=5000)]


class SignOutForm(Form):
    """Where a person signs out: here, or everywhere."""

    everywhere: bool = False


class EntryModel(Model):
    """A form for guests, and the address of the other one."""

    other: str


class NoModel(Model):
    """A page that shows nothing of its own."""


def no_accounts() -> Page:
    """Return the page for an installation without accounts."""
    return Page("no_accounts.html", NoModel())


def _following(request: PageRequest) -> str:
    """Return the address to go to afterwards: one of this host, and none of signing in."""
    given: NextQuery = request.query
    address = safe_address(given.next)
    return "/" if not address or address.startswith((SIGN_IN, REGISTER, SIGN_OUT)) else address


def _other(request: PageRequest, address: str) -> str:
    following = _following(request)
    return target(address, next=None if following == "/" else following)


async def show_sign_in(request: PageRequest) -> Page | Redirect:
    """Show the form of signing in; a person with a session goes on."""
    return _entry(request, "sign_in.html", REGISTER)


def _entry(request: PageRequest, template: str, other: str) -> Page | Redirect:
    if request.caller.scopes is None:
        return no_accounts()
    if not request.caller.is_guest:
        return Redirect(_following(request))
    return Page(template, EntryModel(other=_other(request, other)))


async def sign_in(request: PageRequest, form: SignInForm) -> Redirect:
    """Sign in, and go on. Raises `FormRefused` with one text for every cause."""
    with refusals_explained(request, {(_UNAUTHENTICATED, ""): _FAILED}, _BLOCKED):
        cookies = await _session(request, form.login.strip(), form.password, remember=form.remember)
    return Redirect(_following(request), cookies=cookies)


async def _session(request: PageRequest, login: str, password: str, *, remember: bool) -> tuple[str, ...]:
    """Open a session; return its cookies, and that of the name in the bar. Raises `ApiProblem`."""
    body = {"login": login, "password": password, "browser": True, "remember": remember}
    answer = await request.api.command("POST", "/accounts/login", body, headers=browser_headers(request))
    name = person_cookie(login.partition("@")[0], _REMEMBERED_S if remember else None)
    return (*session_cookies(answer), name)


def browser_headers(request: PageRequest) -> dict[str, str]:
    """Return the headers of the browser that accounts know a device by."""
    device = request.cookies.get(_DEVICE)
    named = {} if device is None else {"Cookie": f"{_DEVICE}={device}"}
    return {"User-Agent": request.program, **named}


def session_cookies(answer: ApiAnswer) -> tuple[str, ...]:
    """Return the cookies that an answer of accounts sets: those of the session and the device."""
    return tuple(value for name, value in answer.headers.items() if name.lower() == "set-cookie")


async def show_register(request: PageRequest) -> Page | Redirect:
    """Show the form of registering; a person with a session goes on."""
    return _entry(request, "register.html", SIGN_IN)


async def register(request: PageRequest, form: RegisterForm) -> Redirect:
    """Open an account, sign in, and go on. Raises `FormRefused`, `ApiProblem`."""
    with refusals_explained(request, TEXTS, _CROWDED):
        opened = await request.api.post("/accounts", form.to_body())
        if opened.status == _ACCEPTED:
            return Redirect(_other(request, SIGN_IN), notice="nearly-registered")
        cookies = await _session(request, form.handle, form.password, remember=False)
    return Redirect(_following(request), cookies=cookies)


async def show_sign_out(request: PageRequest) -> Page | Redirect:
    """Show the button of signing out."""
    if request.caller.scopes is None:
        return no_accounts()
    return Redirect(SIGN_IN) if request.caller.is_guest else Page("sign_out.html", NoModel())


async def sign_out(request: PageRequest, form: SignOutForm) -> Redirect:
    """End this session, or all of the person. A session that is over already is no error."""
    notice = "signed-out-everywhere" if form.everywhere else "signed-out"
    cookies: tuple[str, ...] = ()
    with no_fault(_UNAUTHENTICATED):
        cookies = session_cookies(await request.api.post("/accounts/logout", {"everywhere": form.everywhere}))
    return Redirect(SIGN_IN, notice=notice, cookies=(*cookies, *SIGNED_OUT))


def _sign_in_examples() -> Mapping[str, Page]:
    usual = Page("sign_in.html", EntryModel(other=target(REGISTER, next="/books")))
    wrong = Submission(
        values={"login": ("ann@example.org",), "remember": ("on",)},
        faults=(FieldFault("", _FAILED),),
        kind="invalid",
    )
    return {"usual": usual, "wrong": replace(usual, sent=wrong)}


def _register_examples() -> Mapping[str, Page]:
    usual = Page("register.html", EntryModel(other=target(SIGN_IN, next="/books")))
    values = {"handle": ("Ann!",), "name": ("Ann Reader " * 20,), "email": ("ann",)}
    faults = tuple(FieldFault(field, TEXTS[422, field]) for field in ("handle", "email", "password"))
    return {
        "usual": usual,
        "long": replace(usual, sent=Submission(values=values, faults=faults, kind="invalid")),
    }


PAGES = (
    PageRoute(
        SIGN_IN,
        get=show_sign_in,
        post=sign_in,
        form=SignInForm,
        title=_("Sign in"),
        params=NextQuery,
        examples=_sign_in_examples,
        requires=None,
    ),
    PageRoute(
        REGISTER,
        get=show_register,
        post=register,
        form=RegisterForm,
        title=_("Register"),
        params=NextQuery,
        examples=_register_examples,
        requires=None,
    ),
    PageRoute(
        SIGN_OUT,
        get=show_sign_out,
        post=sign_out,
        form=SignOutForm,
        title=_("Sign out"),
        examples=lambda: {"usual": Page("sign_out.html", NoModel()), "off": no_accounts()},
        requires=None,
    ),
)
