"""Refuses requests that a web page of another origin makes through a user's browser.

A page of any site can make the browser send requests to every address that the browser can reach, loopback
included. Two checks refuse such requests: the name in `Host` must be one of ours, so that a foreign name
that resolves to our address reads nothing (DNS rebinding); and a request with a method that changes
something must come from our own origin (cross-site request forgery).

Sources: RFC 9110, 7.2 and 15.5.20 (Host, 421); RFC 6454 (Origin); W3C Fetch Metadata (Sec-Fetch-Site).
"""

import re
import socket
from collections.abc import Callable, Iterable
from functools import cache
from ipaddress import ip_address
from threading import Thread

from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.request_parser import UpgradedStream

#: Methods that change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Paths answered to GET and HEAD before any check or limit, for probes and scrapers.
PROBE_PATHS = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
#: Cookies that identify a user. The cookies of positions (gateway/read_your_writes.py) do not.
SESSION_COOKIES = frozenset({"session", "__Host-session", "bookshelf-client", "__Host-bookshelf-client"})
_OWN_SITES = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
_ENTRY = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9._-]{0,252})|\[?[0-9a-f:.]{2,45}\]?")
#: The most allowed values of Host that are remembered.
_MOST_REMEMBERED = 1024


def is_probe(request: Request) -> bool:
    """Return True for a request for health or metrics."""
    return request.target.partition("?")[0] in PROBE_PATHS and request.method in {"GET", "HEAD"}


def parse_allowed_hosts(text: str) -> list[str]:
    """Return the names of the comma-separated setting `allowed_hosts`. Raises ValueError."""
    names = [_host_name(entry.strip()) for entry in text.split(",") if entry.strip()]
    for name in names:
        if _ENTRY.fullmatch(name) is None:
            msg = f"{name[:100]!r} is no host name; write names with commas, like books.example"
            raise ValueError(msg)
    return names


class OwnNames:
    """The names of this machine. The fully qualified name needs DNS, so a thread looks it up."""

    def __init__(self) -> None:
        name = socket.gethostname().lower()
        short = name.partition(".")[0]
        self.names = {name, short, f"{short}.local"} - {"", ".local"}
        Thread(target=self._look_up, name="own host name", daemon=True).start()

    def _look_up(self) -> None:
        self.names |= {socket.getfqdn().lower().rstrip(".")}


@cache
def own_names() -> OwnNames:
    """Return the names of this machine, looked up once in a process."""
    return OwnNames()


class RequestCheck:
    """Checks the `Host` of every request, and the origin of a request that changes something.

    `allowed_hosts` are allowed in addition to localhost, *.localhost, IP addresses and the names of this
    machine. `own` replaces the names of this machine in tests.
    """

    def __init__(self, allowed_hosts: Iterable[str] = (), own: OwnNames | None = None) -> None:
        names = [_host_name(name) for name in allowed_hosts]
        self._names = frozenset(name for name in names if not name.startswith("*."))
        self._suffixes = (".localhost", *(name[1:] for name in names if name.startswith("*.")))
        self._own = own
        self._remembered: set[str] = set()

    def admit(self, request: Request, allows: Callable[[str], bool] | None = None) -> None:
        """Check a request. `allows` returns True for another origin that may change something.

        Raises `Problem`: misdirected, cross-origin.
        """
        if is_probe(request):
            return
        self._check_host(request.headers.get("Host", ""))
        if request.method not in SAFE_METHODS or isinstance(request.body, UpgradedStream):
            _check_origin(request, allows)

    def _check_host(self, host: str) -> None:
        if host in self._remembered:
            return
        name = _host_name(host)
        if name and not self._is_allowed(name):
            msg = f"nothing here is called {name[:253]!r}; if it should be, add the name to the setting"
            raise Problem("misdirected", f"{msg} allowed_hosts (BOOKSHELF_ALLOWED_HOSTS={name[:253]})")
        if len(self._remembered) < _MOST_REMEMBERED:
            self._remembered.add(host)

    def _is_allowed(self, name: str) -> bool:
        if name == "localhost" or name in self._names or name.endswith(self._suffixes):
            return True
        return _is_address(name) or name in (self._own or own_names()).names


class CheckedHandler:
    """Checks each request before it reaches the handler."""

    def __init__(self, handler: Handler, check: RequestCheck) -> None:
        self._handler = handler
        self._check = check

    async def handle(self, request: Request) -> Response:
        """Return the handler's response, or the refusal of the check."""
        try:
            self._check.admit(request)
        except Problem as refusal:
            return problem_response(refusal)
        return await self._handler.handle(request)


def _check_origin(request: Request, allows: Callable[[str], bool] | None) -> None:
    """Raise `Problem` if a page of another origin sent this, or may have sent it with a session cookie."""
    headers = request.headers
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site in _OWN_SITES:
        return
    if site is None and origin is not None and is_own_origin(request, origin):
        return
    if not has_session(request):
        if site is None and origin is None:
            return  # every current browser sends at least one of the two
        if origin is not None and allows is not None and allows(origin):
            return
    come_from = f"a page of {origin[:200]}" if origin else "another site's page, or none that is named,"
    msg = f"{come_from} may not change anything here; use a page of this origin, or a program without Origin"
    more = "" if allows is None else "; other origins are allowed by gateway_cors, proxies by gateway_trusted"
    raise Problem("cross-origin", msg + more)


def is_own_origin(request: Request, origin: str) -> bool:
    """Return True if an `Origin` is the scheme, host and port that the request was sent to."""
    scheme, _, authority = origin.partition("://")
    if scheme.lower() != ("https" if request.secure else "http"):
        return False
    asked = _host_and_port(request.headers.get("Host", ""), scheme.lower())
    return asked is not None and asked == _host_and_port(authority, scheme.lower())


def has_session(request: Request) -> bool:
    """Return True if the request has a session cookie."""
    lines = request.headers.getall("Cookie", ())
    names = (pair.partition("=")[0].strip() for line in lines for pair in line.split(";"))
    return not SESSION_COOKIES.isdisjoint(names)


def _host_and_port(authority: str, scheme: str) -> tuple[str, str] | None:
    match = _AUTHORITY.fullmatch(authority)
    if match is None or not match[1]:
        return None
    return match[1].lower().rstrip("."), match[2] or _DEFAULT_PORTS[scheme]


def _host_name(host: str) -> str:
    """Return the name in a `Host` header in lower case, without its port and a final dot."""
    match = _AUTHORITY.fullmatch(host)
    return (match[1] if match else host).lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name[1:-1] if name.startswith("[") else name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return True for `localhost` and for an address of this machine that no other machine reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
