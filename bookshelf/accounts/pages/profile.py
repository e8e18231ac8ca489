"""The forms of an account: name and address, the e-mail address, the password, and the end of it."""

from collections.abc import Callable, Mapping
from typing import Annotated

from msgspec import Meta

from bookshelf.accounts.pages.models import PersonAccount
from bookshelf.accounts.pages.refusals import CHANGED, CONFIRMED, TEXTS, refusals_explained
from bookshelf.accounts.pages.signing_in import NoModel, browser_headers, no_accounts, session_cookies
from bookshelf.site.page import ACCOUNT, SIGN_IN, Form, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest
from bookshelf.site.preferences import SIGNED_OUT

PROFILE, EMAIL = f"{ACCOUNT}/profile", f"{ACCOUNT}/email"
PASSWORD, DELETE = f"{ACCOUNT}/password", f"{ACCOUNT}/delete"
NOTICES = {
    "profile-saved": _("Saved."),
    "email-saved": _("Your e-mail address is changed."),
    "email-asked": _("Your e-mail address is being changed."),
    "password-saved": _("Your password is changed. All other devices are signed out."),
    "deleted": _("Your account is deleted. What was personal is gone within a minute."),
}
_Typed = Annotated[str, Meta(max_length=5000)]


class ProfileForm(Form):
    """What a person changes without a password."""

    name: _Typed
    address: _Typed = ""


class EmailForm(Form):
    """Another e-mail address, confirmed by the password."""

    email: _Typed
    password: _Typed


class PasswordForm(Form):
    """The present password, and the next one."""

    old_password: _Typed
    new_password: _Typed


class DeleteForm(Form):
    """The password, because an account that is deleted never comes back."""

    password: _Typed


async def show_profile(request: PageRequest) -> Page:
    """Show the form of name and address."""
    if request.caller.account is None:
        return no_accounts()
    account: PersonAccount = (await request.api.get("/accounts/me", kind=PersonAccount)).body
    return Page("profile.html", NoModel(), form=ProfileForm(name=account.name, address=account.address or ""))


async def save_profile(request: PageRequest, form: ProfileForm) -> Redirect:
    """Save name and address; without a text there is no address."""
    body = {"name": form.name, "address": form.address or None}
    with refusals_explained(request, TEXTS):
        await request.api.patch("/accounts/me", body)
    return Redirect(ACCOUNT, notice="profile-saved")


async def show_email(request: PageRequest) -> Page:
    """Show the form of the e-mail address."""
    return no_accounts() if request.caller.account is None else Page("email.html", NoModel())


async def save_email(request: PageRequest, form: EmailForm) -> Redirect:
    """Change the e-mail address."""
    body = {"email": form.email, "password": form.password}
    with refusals_explained(request, CONFIRMED):
        account = await request.api.patch("/accounts/me", body)
    return Redirect(ACCOUNT, notice="email-asked" if account.body.get("pending_email") else "email-saved")


async def show_password(request: PageRequest) -> Page:
    """Show the form of the password."""
    return no_accounts() if request.caller.account is None else Page("password.html", NoModel())


async def save_password(request: PageRequest, form: PasswordForm) -> Redirect:
    """Set another password; this browser gets a new session, and all others end."""
    body = {"old": form.old_password, "new": form.new_password, "browser": True}
    with refusals_explained(request, CHANGED):
        path, headers = "/accounts/me/password", browser_headers(request)
        answer = await request.api.command("PUT", path, body, headers=headers)
    return Redirect(ACCOUNT, notice="password-saved", cookies=session_cookies(answer))


async def show_delete(request: PageRequest) -> Page:
    """Show what is deleted with the account."""
    return no_accounts() if request.caller.account is None else Page("delete.html", NoModel())


async def delete(request: PageRequest, form: DeleteForm) -> Redirect:
    """Delete the account."""
    with refusals_explained(request, CONFIRMED):
        await request.api.command("DELETE", "/accounts/me", {"password": form.password})
    return Redirect(SIGN_IN, notice="deleted", cookies=SIGNED_OUT)


def _example(template: str) -> Callable[[], Mapping[str, Page]]:
    return lambda: {"usual": Page(template, NoModel())}


def _profile_examples() -> Mapping[str, Page]:
    form = ProfileForm(name="Ann Reader", address="12 Shelf Lane\nLondon")
    return {"usual": Page("profile.html", NoModel(), form=form)}


PAGES = (
    PageRoute(
        PROFILE,
        get=show_profile,
        post=save_profile,
        form=ProfileForm,
        title=_("Name and address"),
        examples=_profile_examples,
        requires=(),
    ),
    PageRoute(
        EMAIL,
        get=show_email,
        post=save_email,
        form=EmailForm,
        title=_("E-mail address"),
        examples=_example("email.html"),
        requires=(),
    ),
    PageRoute(
        PASSWORD,
        get=show_password,
        post=save_password,
        form=PasswordForm,
        title=_("Password"),
        examples=_example("password.html"),
        requires=(),
    ),
    PageRoute(
        DELETE,
        get=show_delete,
        post=delete,
        form=DeleteForm,
        title=_("Delete my account"),
        examples=_example("delete.html"),
        requires=(),
    ),
)
