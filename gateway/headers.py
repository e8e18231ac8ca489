"""Headers of forwarded requests and responses: hop-by-hop fields are removed, forwarding fields are added.

Sources: RFC 9110, 7.6.1 (Connection and the hop's own fields) and 7.6.3 (Via); RFC 9112, 6 (framing).
"""

import re
from collections.abc import Mapping
from http import HTTPStatus

from multidict import CIMultiDict

from bookshelf.http.message import Request, Response
from bookshelf.http.request_check import SAFE_METHODS
from bookshelf.http.request_parser import UpgradedStream
from bookshelf.runtime.api.header_fields import ACTOR, ADMITTED, MOVING, REFUSED, SITES, TIME_LEFT, TRY, trace
from bookshelf.runtime.api.identity import IDENTITY
from gateway.ingress.compression import unmark

#: Hop-by-hop fields: they describe one connection, not the message.
_HOP = (
    *("Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"),
    *("Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info"),
)
#: Fields that the gateway sets itself, or that a client must not set. Our own server has answered Expect;
#: Proxy would become an environment variable in some programs (httpoxy).
_SET_HERE = (
    *("Host", "Expect", "Forwarded", "Proxy", "X-Real-IP"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server"),
    *(TIME_LEFT, TRY),  # set by gateway/upstream/call.py
    # between the gateway and services, some of them reserved for later (docs/gateway.md)
    *(ADMITTED, "Bookshelf-Revision", "Bookshelf-Bound", "Bookshelf-Rebound"),
    *(REFUSED, SITES),
    *("X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Client-IP", "True-Client-IP"),
    *("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override"),
    *IDENTITY,  # the gateway has read them before, and signs its own
    "Bookshelf-Command",  # between instances of one service only (bookshelf/runtime/api/forwarding.py)
)
#: The gateway checks these for requests that may change something. A service has another host name, and would
#: refuse them.
_CHECKED = ("Origin", "Sec-Fetch-Site")
_NONE: frozenset[str] = frozenset()
#: Fields that are removed from a request, and from a response, for which our own server sets Date and Server.
_LEFT = frozenset(name.lower() for name in (*_HOP, *_SET_HERE))
_OURS = frozenset(name.lower() for name in (*_HOP, "Date", "Server", MOVING))
#: An accepted raw target: a path in printable ASCII without a fragment. Not http://host/, not *.
TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")
_VIA = "1.1 bookshelf"
#: A value of Host that is passed on.
HOST = re.compile(r"[A-Za-z0-9.\-\[\]:_]{1,255}")
_REFERENCES = ("Location", "Content-Location")
#: A link's target that is an absolute path: </books?after=x>, but not <//elsewhere/books>.
_LINKED = re.compile(r"<(?=/(?!/))")


def onward(request: Request, prefix: str) -> CIMultiDict[str]:
    """Return the headers of the forwarded request. Identity fields that a client sent are not among them."""
    given = request.headers
    hop = _listed(given) if "Connection" in given else _NONE
    headers = CIMultiDict(
        [
            (name, value)
            for name, value in given.items()
            # CGI-like programs read _ in a field name as -
            if (low := name.lower()) not in hop and low.replace("_", "-") not in _LEFT
        ]
    )
    if "Transfer-Encoding" in given:
        headers.popall("Content-Length", None)  # RFC 9112, 6.3: the encoding takes precedence
    if "traceparent" in headers and not trace(headers):
        del headers["traceparent"]
    unmark(headers)
    if request.method not in SAFE_METHODS or upgrade(request):
        for name in _CHECKED:
            headers.popall(name, None)
    _add_forwarding_fields(request, given.get("Host"), headers)
    if prefix:
        headers["X-Forwarded-Prefix"] = prefix
    former = headers.get("Via")
    headers["Via"] = f"{former}, {_VIA}" if former else _VIA
    return headers


def _add_forwarding_fields(request: Request, host: str | None, headers: CIMultiDict[str]) -> None:
    """Add the forwarding fields: client address, host, scheme, request id and identity."""
    if request.peer:
        headers["X-Forwarded-For"] = request.peer
    if host:
        headers["X-Forwarded-Host"] = host
    scheme = headers["X-Forwarded-Proto"] = "https" if request.secure else "http"
    headers["Forwarded"] = _forwarded(request.peer, host, scheme)
    if request.id:
        headers["X-Request-Id"] = request.id
    if request.actor:
        headers[ACTOR] = request.actor
    if upgrade(request):
        headers["Upgrade"] = "websocket"


def _forwarded(peer: str, host: str | None, scheme: str) -> str:
    """Return the value of Forwarded (RFC 7239), which quotes an IPv6 address and a host with a port."""
    client = f'"[{peer}]"' if ":" in peer else peer or "unknown"
    host_pair = f';host="{host}"' if host and HOST.fullmatch(host) else ""
    return f"for={client};proto={scheme}{host_pair}"


def upgrade(request: Request) -> bool:
    """Return True if the client asks for a WebSocket, the only protocol that is tunnelled (RFC 6455, 4.1)."""
    return isinstance(request.body, UpgradedStream)


def back(answer: Response, prefix: str) -> CIMultiDict[str]:
    """Return the headers of the response to a client, with the gateway's prefix added to references."""
    given = answer.headers
    hop = _listed(given) if "Connection" in given else _NONE
    headers = CIMultiDict(
        [
            (name, value)
            for name, value in given.items()
            if (low := name.lower()) not in _OURS and low not in hop
        ]
    )
    if answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
        headers["Upgrade"] = "websocket"
    for name in _REFERENCES:
        target = headers.get(name)
        if target is not None and target.startswith("/") and not target.startswith("//"):
            headers[name] = prefix + target
    if "Link" in headers:
        links = headers.popall("Link")
        headers.extend(("Link", _LINKED.sub("<" + prefix, link)) for link in links)
    return headers


def _listed(headers: Mapping[str, str]) -> frozenset[str]:
    """Return the field names that Connection lists: they are hop-by-hop too."""
    lines = (value for name, value in headers.items() if name.lower() == "connection")
    return frozenset(name.strip().lower() for line in lines for name in line.split(","))
