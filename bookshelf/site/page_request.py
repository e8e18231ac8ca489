"""The request that a page function gets: caller, preferences, time, parameters and the API client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any

from bookshelf.cqrs.handler import LOCAL, Caller, HandlerPorts
from bookshelf.cqrs.phrases import Phrase
from bookshelf.http.multipart import UploadedFile
from bookshelf.http.problem import Problem
from bookshelf.site.api_adapters import FieldFault, PageApi
from bookshelf.site.jobs import CallerJobs
from bookshelf.site.preferences import Preferences


def is_password(name: str) -> bool:
    """Return True for the name of an input for a password, or for another secret: it ends with that word."""
    return name.endswith(("password", "secret"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A form as it was sent: the texts of its fields, its files, and what is wrong with it.

    `faults` are the wrong fields with the reasons; `kind` and `detail` describe the problem as a whole. A
    password is in `values` only: it is never shown again.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, tuple[UploadedFile, ...]] = field(default_factory=dict)
    faults: tuple[FieldFault, ...] = ()
    kind: str = ""
    detail: str = ""

    def text(self, name: str) -> str:
        """Return the text of a field; empty if it was not sent."""
        return next(iter(self.values.get(name, ())), "")

    def typed(self, name: str) -> tuple[str, ...]:
        """Return the texts of a field that may be shown again; none of a password."""
        return () if is_password(name) else tuple(self.values.get(name, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """One request for a page.

    `address` is its path and query string. `path` has the variables of the path. `query` is a value of the
    route's `params`; `parameters` has all values of the query string by name. `now` is the time in the
    reader's zone. `submission` is the form that was sent. `translate` and `plural` return texts in the
    reader's language. `ports` has the stores of blobs and the converter of pictures. `running` are the
    caller's jobs. `cookies` are those of the browser by name, `program` is its name, and it has
    sent the request over TLS if `secure`, to `host`: a name, and a port unless that is the usual one.
    """

    method: str
    address: str
    path: Mapping[str, str]
    parameters: Mapping[str, tuple[str, ...]]
    query: Any
    now: datetime
    language: str
    preferences: Preferences
    api: PageApi
    translate: Callable[[str | Phrase], str]
    plural: Callable[[str, str, int], str]
    ports: HandlerPorts
    submission: Submission | None = None
    caller: Caller = LOCAL
    running: CallerJobs | None = None
    cookies: Mapping[str, str] = field(default_factory=dict)
    program: str = ""
    secure: bool = False
    host: str = "localhost"

    @property
    def origin(self) -> str:
        """What absolute addresses of this site begin with, like https://books.example.org."""
        return f"{'https' if self.secure else 'http'}://{self.host}"

    @property
    def jobs(self) -> CallerJobs:
        """The jobs of the caller. Raises `Problem` if it does not run them."""
        if self.running is None:
            raise Problem("unavailable", "jobs cannot be run right now; try again")
        return self.running

    @property
    def today(self) -> date:
        """The reader's day."""
        return self.now.date()

    @property
    def zone(self) -> tzinfo:
        """The reader's time zone."""
        assert self.now.tzinfo is not None  # noqa: S101 (the endpoint made it)
        return self.now.tzinfo

    @property
    def version(self) -> str | None:
        """The entity tag that the form was made from."""
        return (self.submission.text("_version") or None) if self.submission else None

    def back(self, default: str) -> str:
        """Return the address of the page that the form was on, from its field `_back`, else the default."""
        return safe_address(self.submission.text("_back") if self.submission else "") or default


def safe_address(text: str) -> str:
    """Return an address of this site as it is; empty for anything that leads to another host."""
    if not text.startswith("/") or text.startswith("//") or len(text) > 2000:  # noqa: PLR2004 (its longest)
        return ""
    return "" if any(sign < "!" or sign in '\\"<>' for sign in text) else text
