"""The devices on which a person is signed in, by the names of their browsers."""

import re
from datetime import datetime
from typing import NamedTuple

from bookshelf.accounts.pages.refusals import no_fault
from bookshelf.accounts.pages.signing_in import no_accounts
from bookshelf.site.api_adapters import segment
from bookshelf.site.page import ACCOUNT, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

DEVICES = f"{ACCOUNT}/devices"
NOTICES = {"device-signed-out": _("That device is signed out.")}
_NOT_FOUND = 404
#: Marks of programs in User-Agent, the particular ones first: most browsers name others, too.
_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_MOBILE = frozenset({"iPhone", "iPad", "Android"})
_FIRST = re.compile(r"[\w.-]{1,40}")


class Program(NamedTuple):
    """A program and its system, as far as they are known; True if it runs on a phone."""

    name: str
    system: str
    is_mobile: bool


class Device(NamedTuple):
    """A session of the person: the program, when it was used, from where; True if it is this one."""

    id: str
    program: Program
    used: datetime
    network: str
    this: bool


def read_program(user_agent: str) -> Program:
    """Return the program that a User-Agent names."""
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    first = _FIRST.match(user_agent)
    name = next((name for mark, name in _PROGRAMS if mark in user_agent), first[0] if first else "")
    return Program(name, system, system in _MOBILE)


async def show_device(request: PageRequest) -> Page | Redirect:
    """Go to the list of devices."""
    return no_accounts() if request.caller.account is None else Redirect(f"{ACCOUNT}#devices")


async def sign_out_there(request: PageRequest, _form: None) -> Redirect:
    """End the session of a device; one that is over already is no error."""
    with no_fault(_NOT_FOUND):
        await request.api.delete(f"/accounts/sessions/{segment(request.path['id'])}")
    return Redirect(f"{ACCOUNT}#devices", notice="device-signed-out")


PAGES = (
    PageRoute(f"{DEVICES}/{{id}}", get=show_device, post=sign_out_there, title=_("Devices"), requires=()),
)
