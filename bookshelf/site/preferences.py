"""Cookies that are checked on return: preferences, the notice after a redirect, the name in the bar."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode
from zoneinfo import ZoneInfo, available_timezones

from bookshelf.http.message import Request

PREFERENCES_COOKIE = "bookshelf-prefs"
NOTICE_COOKIE = "bookshelf-notice"
PERSON_COOKIE = "bookshelf-person"
CHECKOUT_COOKIE = "bookshelf-checkout"
#: Seconds that the cookies are kept.
_PREFERENCES_S = 365 * 86400
_NOTICE_S = 60
_PERSON_MAX = 100
THEMES = ("system", "light", "dark")
#: The languages with a catalogue; the first is the one of the sources.
LANGUAGES = ("en", "de")
KEYS = ("on", "off")
_CODE = re.compile(r"[a-z0-9-]{1,40}")
_VALUE = re.compile(r"[A-Za-z0-9._-]{1,200}")
#: The most preferences of other sites that are kept.
_MOST_OTHERS = 20
_CHANGE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_RANGE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([0-9.]{1,5}))?\s*")


class Choice(NamedTuple):
    """A preference of a site: its label, and its allowed values with their texts, the default first.

    Of a preference with `many`, any number is chosen; its value has them with dots between, "-" for none. The
    default is all.
    """

    label: str
    values: tuple[tuple[str, str], ...]
    many: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The allowed values."""
        return tuple(name for name, _ in self.values)

    def value_of(self, given: Iterable[str]) -> str:
        """Return the value of these choices; what is not allowed is left out."""
        chosen = set(given)
        found = [name for name in self.names if name in chosen]
        return ".".join(found) or "-" if self.many else next(iter(found), self.names[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The chosen values; an empty language or zone means: as the browser asks, as the machine has it.

    `more` has the values of the site's own preferences by name, `other` those of other sites, which are kept.
    """

    theme: str = THEMES[0]
    language: str = ""
    zone: str = ""
    keys: str = KEYS[0]
    more: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, str] = field(default_factory=dict)

    def cookie(self) -> str:
        """Return the value of a Set-Cookie header that keeps them."""
        values = {"theme": self.theme, "language": self.language, "zone": self.zone, "keys": self.keys}
        chosen = {name: value for name, value in {**self.other, **values, **self.more}.items() if value}
        text = f"{PREFERENCES_COOKIE}={urlencode(chosen)}"
        return f"{text}; Path=/; Max-Age={_PREFERENCES_S}; SameSite=Lax"


class Notice(NamedTuple):
    """The notice for the next page: a code, and what its Undo takes back.

    That is the change with an id, or all changes with a correlation id.
    """

    code: str
    change: str | None = None
    correlation: str | None = None

    def cookie(self) -> str:
        """Return the value of a Set-Cookie header that keeps it for the next page."""
        value = f"{self.code}/{self.change or ''}/{self.correlation or ''}".rstrip("/")
        return f"{NOTICE_COOKIE}={value}; Path=/; Max-Age={_NOTICE_S}; HttpOnly; SameSite=Lax"


#: The value of a Set-Cookie header that deletes the notice.
NOTICE_SHOWN = f"{NOTICE_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"


def person_cookie(name: str, age_s: int | None = None) -> str:
    """Return the value of a Set-Cookie header that keeps the name in the bar, without an age until the end.

    It proves nothing: what a person may do follows from the session alone.
    """
    lasting = "" if age_s is None else f"; Max-Age={age_s}"
    return f"{PERSON_COOKIE}={quote(name[:_PERSON_MAX], safe='')}; Path=/; HttpOnly; SameSite=Lax{lasting}"


#: The value of a Set-Cookie header that deletes the name.
PERSON_GONE = person_cookie("", 0)


def checkout_cookie(value: str, age_s: int, *, secure: bool = False) -> str:
    """Return the value of a Set-Cookie header that keeps what a checkout of the shop has answered so far.

    It is declared here because every end of a session ends it too.
    """
    text = f"{CHECKOUT_COOKIE}={value}; Max-Age={age_s}; Path=/shop/checkout; HttpOnly; SameSite=Lax"
    return f"{text}; Secure" if secure else text


#: The value of a Set-Cookie header that ends a checkout.
CHECKOUT_GONE = checkout_cookie("", 0)
#: The values of Set-Cookie headers that delete what a browser keeps of a person, beside the session.
SIGNED_OUT = (PERSON_GONE, CHECKOUT_GONE)


def read_person(cookies: Mapping[str, str]) -> str:
    """Return the name of the person in the bar; empty if it is unknown."""
    name = unquote(cookies.get(PERSON_COOKIE, ""))
    return name if name.isprintable() and len(name) <= _PERSON_MAX else ""


@cache
def known_zones() -> tuple[str, ...]:
    """Return the names of all time zones that this machine knows, in order."""
    return tuple(sorted(available_timezones() - {"localtime", "Factory", "posixrules"}))


def is_zone(name: str) -> bool:
    """Return True for the name of a time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # KeyError: no such zone
        return False
    return bool(name)


def read_cookies(request: Request) -> dict[str, str]:
    """Return the cookies of a request by name."""
    pairs = (pair.partition("=") for line in request.headers.getall("Cookie", ()) for pair in line.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def read_preferences(cookies: Mapping[str, str], choices: Mapping[str, Choice]) -> Preferences:
    """Return the preferences of the cookie; a value that is not allowed becomes the default."""
    given = dict(parse_qsl(cookies.get(PREFERENCES_COOKIE, "")[:2000]))
    return chosen(given, choices)


def chosen(given: Mapping[str, str], choices: Mapping[str, Choice]) -> Preferences:
    """Return the preferences of these values; a value that is not allowed becomes the default."""
    zone = given.get("zone", "")

    def one_of(name: str, allowed: tuple[str, ...]) -> str:
        value = given.get(name, allowed[0])
        return value if value in allowed else allowed[0]

    return Preferences(
        theme=one_of("theme", THEMES),
        language=one_of("language", ("", *LANGUAGES)),
        zone=zone if is_zone(zone) else "",
        keys=one_of("keys", KEYS),
        more={
            name: choice.value_of(given[name].split(".") if name in given else choice.names)
            for name, choice in choices.items()
        },
        other=dict(list(_others(given, choices))[:_MOST_OTHERS]),
    )


def _others(given: Mapping[str, str], choices: Mapping[str, Choice]) -> Iterable[tuple[str, str]]:
    own = {*choices, "theme", "language", "zone", "keys"}
    return (
        (name, value)
        for name, value in given.items()
        if name not in own and _CODE.fullmatch(name) and _VALUE.fullmatch(value)
    )


def read_notice(cookies: Mapping[str, str], codes: Mapping[str, str]) -> Notice | None:
    """Return the notice of the cookie, if its code is one of `codes`."""
    code, _, undo = cookies.get(NOTICE_COOKIE, "").partition("/")
    if code not in codes or not _CODE.fullmatch(code):
        return None
    change, _, correlation = undo.partition("/")
    return Notice(
        code,
        change if _CHANGE.fullmatch(change) else None,
        correlation if _CHANGE.fullmatch(correlation) else None,
    )


def accepted_language(header: str) -> str:
    """Return the language of ours that an Accept-Language header ranks first; English if it has none."""
    best, rank = LANGUAGES[0], 0.0
    for part in header[:500].split(","):
        match = _RANGE.fullmatch(part)
        if match is not None and match[1].lower() in LANGUAGES:
            weight = _weight(match[2])
            if weight > rank:
                best, rank = match[1].lower(), weight
    return best


def _weight(text: str | None) -> float:
    try:
        return 1.0 if text is None else float(text)
    except ValueError:
        return 0.0
