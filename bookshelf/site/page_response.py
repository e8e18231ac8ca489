"""Renders pages to responses, with their headers: policy, caching, notice, positions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import LOCALTZ
from multidict import CIMultiDict

from bookshelf.cqrs.handler import LOCAL, Caller
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import RETRY_AFTER_S, STATUS
from bookshelf.site.api_adapters import POSITION, SITES, PageApi
from bookshelf.site.assets import Assets
from bookshelf.site.error_pages import error_page
from bookshelf.site.form_decoding import FormState
from bookshelf.site.page import ACCOUNT, REGISTER, SIGN_IN, Download, Link, Page, Redirect, SiteParts, _
from bookshelf.site.page_request import PageRequest, Submission, safe_address
from bookshelf.site.preferences import (
    LANGUAGES,
    NOTICE_SHOWN,
    THEMES,
    Notice,
    Preferences,
    accepted_language,
    known_zones,
    read_cookies,
    read_notice,
    read_person,
    read_preferences,
)
from bookshelf.site.templates import FRAME, Templates

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
LASTING = "public, max-age=31536000, immutable"
_ERROR = _("Error:")
_OK, _SEE_OTHER, _NOT_MODIFIED = 200, 303, 304
#: Statuses whose page needs no detail.
_EXPLAINED = frozenset({STATUS["no-route"].value, STATUS["unauthenticated"].value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, and what it has of the reader: preferences, language, zone, and a redirect's notice.

    `person` is the name in the bar: "" for a person whose name is unknown, None for a guest. Without accounts
    `has_accounts` is False. `sites` are the roots of the sites that are there, None if that is unknown.
    """

    request: Request
    has_accounts: bool
    person: str | None
    preferences: Preferences
    language: str
    zone: tzinfo
    notice: Notice | None
    caller: Caller = LOCAL
    sites: frozenset[str] | None = None


@dataclass(slots=True)
class Frame:
    """What layout and macros show of a request, as the variable `frame` of every template.

    `notice` is a text; its Undo takes back the change with the id `change`, or all with the id `correlation`.
    `back`: the page that this one was opened from, "" if that is unknown. `behind`: a view has not caught up
    with the reader's last change. `key` marks a form that creates something: such a page is not cached.
    `person` and `has_accounts` are those of the visit. `following`: where a guest goes after signing in.
    `counts` are numbers at links of the bar, by address. `followed`: the name of the thing whose own stream
    the page follows, "" for that of all changes. `caller` sees the links that its scopes allow, to the sites
    that are there.
    """

    address: str
    language: str
    preferences: Preferences
    title: str
    has_accounts: bool
    person: str | None
    following: str
    section: str | None = None
    back: str = ""
    notice: str = ""
    change: str | None = None
    correlation: str | None = None
    live: tuple[str, ...] = ()
    followed: str = ""
    version: str | None = None
    behind: bool = False
    failed: bool = False
    keyed: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    caller: Caller = LOCAL
    sites: frozenset[str] | None = None
    _page: str = ""
    _forms: int = 0

    def shows(self, link: Link) -> bool:
        """Return True if the caller may open a link, and its site is there."""
        there = not link.site or self.sites is None or link.site in self.sites
        return there and self.caller.may(link.requires)

    @property
    def is_guest(self) -> bool:
        """True if there are accounts, and this person has none or is not signed in."""
        return self.has_accounts and self.person is None

    @property
    def key(self) -> str:
        """A key that no other form has, of this page or another one."""
        # numbered: a system call for each of many forms would pass the interpreter's lock to other threads
        self._page = self._page or uuid4().hex[:24]
        self.keyed = True
        self._forms += 1
        return f"{self._page}{self._forms:08x}"


class PageRenderer:
    """Makes the responses of one site from what page functions return."""

    def __init__(self, parts: SiteParts) -> None:
        self._parts = parts
        packages = tuple(dict.fromkeys((parts.package, *parts.shares, FRAME)))
        self.assets = Assets(reversed(packages), parts.root)
        variables: dict[str, Any] = {
            **parts.values,
            "site": parts,
            "asset": self.assets.address,
            "zones": known_zones,
            "themes": THEMES,
            "account_address": ACCOUNT,
            "sign_in_address": SIGN_IN,
            "register_address": REGISTER,
        }
        self.templates = {language: Templates(packages, language, variables) for language in LANGUAGES}

    def visit(self, request: Request, caller: Caller = LOCAL) -> Visit:
        """Return a request with what it has of the reader."""
        cookies = read_cookies(request)
        preferences = read_preferences(cookies, self._parts.choices)
        return Visit(
            request=request,
            has_accounts=caller.scopes is not None,
            person=None if caller.account is None else read_person(cookies),
            preferences=preferences,
            language=preferences.language or accepted_language(request.headers.get("Accept-Language", "")),
            zone=ZoneInfo(preferences.zone) if preferences.zone else LOCALTZ,
            notice=read_notice(cookies, self._parts.notices) if request.method == "GET" else None,
            caller=caller,
            sites=frozenset(sites.split()) if (sites := request.headers.get(SITES)) else None,
        )

    def page(
        self, page: Page, visit: Visit, *, section: str | None = None, asked: PageRequest | None = None
    ) -> Response:
        """Return a page as a response; 304 if the browser has it."""
        templates = self.templates[visit.language]
        form = FormState(page.form, page.sent)
        frame = self._frame(page, visit, form, section)
        frame.behind = asked is not None and asked.api.behind
        values = {name: getattr(page.model, name) for name in page.model.__struct_fields__}
        text = templates.render(page.template, {**values, "frame": frame, "form": form}, visit.zone)
        body = text.encode(errors="replace")  # an address, or a header, may have bytes that are no UTF-8
        headers = CIMultiDict({**_SAFE, "Content-Type": "text/html; charset=utf-8"})
        headers["Vary"] = "Cookie, Accept-Language"
        if frame.notice:
            headers.add("Set-Cookie", NOTICE_SHOWN)
        if page.preferences is not None and page.preferences != visit.preferences:
            headers.add("Set-Cookie", page.preferences.cookie())
        if asked is not None:
            add_positions(headers, asked.api)
        if page.status != _OK or frame.keyed or frame.notice or frame.behind:
            headers["Cache-Control"] = "no-store"
            return Response(page.status, headers, body)
        tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
        headers.extend({"Cache-Control": "private, no-cache", "ETag": tag})
        known = visit.request.headers.get("If-None-Match", "").split(",")
        if tag in [text.strip().removeprefix("W/") for text in known]:
            return Response(_NOT_MODIFIED, headers)
        return Response(_OK, headers, body)

    def _frame(self, page: Page, visit: Visit, form: FormState, section: str | None) -> Frame:
        translate = self.templates[visit.language].translate
        title = page.title or ""
        notice = visit.notice
        return Frame(
            address=visit.request.target,
            language=visit.language,
            preferences=visit.preferences,
            has_accounts=visit.has_accounts,
            person=visit.person,
            following=following(visit.request.target),
            section=section,
            back=opened_from(visit.request, page.sent),
            title=f"{translate(_ERROR)} {title}" if form.failed else title,
            notice=translate(self._parts.notices[notice.code]) if notice else "",
            change=notice.change if notice else None,
            correlation=notice.correlation if notice else None,
            live=page.live,
            followed=next((name for name in page.live[:1] if self._parts.follows(name)), ""),
            version=page.version,
            failed=form.failed,
            counts=page.counts,
            caller=visit.caller,
            sites=visit.sites,
        )

    def redirect(self, redirect: Redirect, api: PageApi) -> Response:
        """Return the response to a form that was carried out."""
        headers = CIMultiDict({**_SAFE, "Location": redirect.address, "Cache-Control": "no-store"})
        if redirect.notice is not None:
            headers.add("Set-Cookie", Notice(redirect.notice, redirect.change, redirect.correlation).cookie())
        if redirect.preferences is not None:
            headers.add("Set-Cookie", redirect.preferences.cookie())
        headers.extend(("Set-Cookie", cookie) for cookie in redirect.cookies)
        add_positions(headers, api)
        return Response(_SEE_OTHER, headers)

    def error(
        self,
        status: int,
        detail: str,
        visit: Visit,
        sent: Submission | None = None,
        api: PageApi | None = None,
        *,
        kind: str = "",
    ) -> Response:
        """Return the page for an error, or for a problem of a kind, with everything that was typed."""
        detail = "" if status in _EXPLAINED else detail
        target, request_id = visit.request.target, visit.request.id
        page = error_page(status, kind=kind, detail=detail, address=target, request_id=request_id, sent=sent)
        heading = self.templates[visit.language].translate(page.title) if page.title else page.title
        translated = replace(page, title=heading)
        response = self.page(translated, replace(visit, notice=None))
        headers = CIMultiDict(response.headers)
        if status == STATUS["unavailable"].value:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if api is not None:
            add_positions(headers, api)
        return Response(response.status, headers, response.body)

    def manifest(self) -> Response:
        """Return the description of the site as an application that can be installed."""
        described = {
            "name": self._parts.name,
            "short_name": self._parts.name,
            "start_url": self._parts.root,
            "scope": self._parts.root,
            "display": "minimal-ui",
            "background_color": "#FAF7F1",
            "theme_color": "#FAF7F1",
            "icons": [{"src": self.assets.address("mark.svg"), "sizes": "any", "type": "image/svg+xml"}],
        }
        headers = {**_SAFE, "Content-Type": "application/manifest+json", "Cache-Control": "private, no-cache"}
        return Response(_OK, headers, msgspec.json.encode(described))


def following(address: str) -> str:
    """Return where a guest goes after signing in: to this page; from those of the account where they lead."""
    path, _, query = address.partition("?")
    return dict(parse_qsl(query)).get("next", "/") if f"{path}/".startswith(f"{ACCOUNT}/") else address


def opened_from(request: Request, sent: Submission | None) -> str:
    """Return the address of the page that a form was opened from; once it was sent, that of its `_back`."""
    if sent is not None:
        return safe_address(sent.text("_back"))
    referrer = urlsplit(request.headers.get("Referer", ""))
    if referrer.path == request.target.partition("?")[0]:
        return ""
    return safe_address(referrer._replace(scheme="", netloc="", fragment="").geturl())


def download_response(download: Download) -> Response:
    """Return a file as a response."""
    headers = CIMultiDict({**_SAFE, "Content-Type": download.media_type})
    headers["Cache-Control"] = LASTING if download.lasting else "private, no-cache"
    if download.policy is not None:
        headers["Content-Security-Policy"] = download.policy
    if download.name is not None:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(download.name, safe='')}"
    return Response(_OK, headers, download.body)


def add_positions(headers: CIMultiDict[str], api: PageApi) -> None:
    """Add the positions of what a request has written, for the browser's next request."""
    if api.written:
        headers[POSITION] = ", ".join(dict.fromkeys(api.written))
