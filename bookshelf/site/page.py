"""Declares the pages of a site as data, and the values that page functions return."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bookshelf.cqrs.handler import READ, WRITE, HandlerPorts
from bookshelf.http.multipart import FormLimits
from bookshelf.site.jobs import JobKind
from bookshelf.site.page_request import PageRequest, Submission
from bookshelf.site.preferences import Choice, Preferences

#: The most bytes of a form without files.
FORM_BYTES = 1 << 20
#: The addresses of the account and its pages, which every site links to while there are accounts.
ACCOUNT = "/account"
SIGN_IN, REGISTER = f"{ACCOUNT}/sign-in", f"{ACCOUNT}/register"


def _(text: str) -> str:
    """Mark a text for translation; the frame translates it when a page is rendered."""
    return text


class Model(msgspec.Struct, kw_only=True):
    """Base of the variables of one template. A test compares the fields with what the template uses."""


class Form(msgspec.Struct, kw_only=True):
    """Base of the fields of one form. An empty input leaves a field at its default."""

    def to_body(self) -> dict[str, Any]:
        """Return the fields that have a value, as the body of an API request."""
        built = msgspec.to_builtins(self, enc_hook=str)
        return {name: value for name, value in built.items() if value is not None and value != ""}


@dataclass(frozen=True, slots=True)
class Page:
    """A page to render: its template and the template's variables.

    `title` replaces the route's; it is a text of a reader or a translated one. `live` are the names of the
    changes that the page shows; a part of it has its own in `data-live`. `form` has the values that the form
    shows before anything was typed, `sent` what was typed if it was not carried out. `version` is the entity
    tag of what the form edits. `preferences` are kept in the browser. `counts` are the numbers at links of
    the bar, by address.
    """

    template: str
    model: Model
    title: str | None = None
    live: tuple[str, ...] = ()
    form: Form | None = None
    version: str | None = None
    sent: Submission | None = None
    status: int = 200
    preferences: Preferences | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """The answer to a form that was carried out: the address of the next page and a notice for it.

    `notice` is a code of the site's notices; `change` is the id of the change that the notice's Undo takes
    back, or `correlation` the id of several. `preferences` are kept in the browser. `cookies` are the values
    of further Set-Cookie headers.
    """

    address: str
    notice: str | None = None
    change: str | None = None
    correlation: str | None = None
    preferences: Preferences | None = None
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file: shown by the browser, or saved under `name` if that is given.

    `policy` replaces the content security policy of pages. `lasting`: its address contains its digest.
    """

    body: bytes | AsyncIterator[bytes]
    media_type: str
    name: str | None = None
    policy: str | None = None
    lasting: bool = False


#: The policy of an SVG that contains its styles, fonts and images.
DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; sandbox"

Result = Page | Redirect | Download
Show = Callable[[PageRequest], Awaitable[Result]]
Submit = Callable[[PageRequest, Any], Awaitable[Result]]


def _no_examples() -> Mapping[str, Page]:
    return {}


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One address of a site: the function that shows it and the one that takes its form.

    `params` is the type of the query string's values by name. `examples` returns pages by the name of their
    state ("usual", "empty", "long", "large", "failed"): /design shows them, tests render and walk them.
    `section`: the address of the link in the top bar that the page belongs to. `most`: bytes of the form's
    body. `files`: the limits of a form with files, whose fields have the type `UploadedFile`. `requires`: the
    scopes that the caller must have, and to send its form `write` in place of `read`; () for every person
    with an account, None for everyone. `deadline_s`: seconds until its response begins, once all of a form
    has arrived; None for what is usual.
    """

    path: str
    get: Show
    post: Submit | None = None
    form: type[Form] | None = None
    title: str = ""
    params: type[msgspec.Struct] | None = None
    examples: Callable[[], Mapping[str, Page]] = _no_examples
    section: str | None = None
    most: int = FORM_BYTES
    files: FormLimits | None = None
    requires: tuple[str, ...] | None = READ
    deadline_s: float | None = None

    def required(self, method: str) -> tuple[str, ...] | None:
        """Return the scopes that a request for the page, or with its form, requires."""
        return WRITE if method == "POST" and self.requires == READ else self.requires


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the top bar or the foot: its address, its text, the name of its icon, and its keys.

    `dialog`: its page is opened as a dialog where scripts run. `requires`: it is shown to callers with these
    scopes. `site`: the root of another site, without which the link is not shown.
    """

    address: str
    text: str
    icon: str = ""
    keys: str = ""
    dialog: bool = False
    requires: tuple[str, ...] = ()
    site: str = ""


@dataclass(frozen=True, slots=True)
class SearchField:
    """The search field of the top bar: the address that takes it, the parameter's name, and the label.

    Enter sends `open=1` with it: if one thing is found, the address may lead to that.
    """

    address: str
    parameter: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteParts:
    """What one site has beside the frame.

    `package` is the package with the folders templates/, static/ and locale/; `shares` are further ones that
    it has in common with other sites. `home` is where the site's mark leads, `preferences` where
    the page of preferences is below the root. `counts` returns the numbers that links of the bar show beside
    their texts, by address; 0 is not shown. `notices` are the texts of redirects by code.
    `settings` are links of the page of preferences, `choices` further preferences by name,
    `keys` are keys and what they do. `drop` is the address of the page that takes a file dropped anywhere,
    `undo` the one that takes a `change` to take back. `changes` is the path of the API's stream of new
    events, and `live_names` returns the names that one of them stands for. `values` are further values that
    all templates have by name. `follows` returns the path of the
    API's stream of one thing by its name, None for names without one: a page whose first name in `live` has
    such a stream follows that in place of `changes`. `jobs` are the functions of jobs by the name of their
    kind. `erases` delete what else the site keeps of accounts that were forgotten.
    """

    name: str
    package: str
    pages: tuple[PageRoute, ...]
    root: str = "/"
    home: str = "/"
    preferences: str = "/settings"
    shares: tuple[str, ...] = ()
    counts: Callable[[PageRequest], Awaitable[Mapping[str, int]]] | None = None
    links: tuple[Link, ...] = ()
    action: Link | None = None
    search: SearchField | None = None
    notices: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    footer: tuple[Link, ...] = ()
    settings: tuple[Link, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    drop: str | None = None
    undo: str | None = None
    changes: str | None = None
    jobs: Mapping[str, JobKind] = field(default_factory=dict)
    erases: tuple[Callable[[HandlerPorts, Collection[str]], Awaitable[None]], ...] = ()
    live_names: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda _event: ()
    follows: Callable[[str], str | None] = lambda _name: None
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def settings_address(self) -> str:
        """The address of the page of preferences."""
        return f"{self.root.rstrip('/')}{self.preferences}"

    @property
    def keys_address(self) -> str:
        """The address of the table of keys."""
        return f"{self.root.rstrip('/')}/help/keys"
