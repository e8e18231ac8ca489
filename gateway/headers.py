"""Headers on their way through: what is for one hop stays behind, what says where it came from is added.

Sources: RFC 9110, 7.6.1 (Connection and the hop's own fields) and 7.6.3 (Via); RFC 9112, 6 (framing).
"""

import re
from collections.abc import Mapping
from http import HTTPStatus

from multidict import CIMultiDict

from bookshelf.http.message import Request, Response
from bookshelf.http.request_check import SAFE_METHODS
from bookshelf.http.server.upgrade import UpgradedStream
from bookshelf.runtime.api.header_fields import ACTOR, trace
from gateway.ingress.compression import unmark

#: Fields about one connection, not about the message; each side frames its own messages anew.
_HOP = (
    *("Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"),
    *("Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info"),
)
#: Said anew, for the next hop, or only ever believed of ourselves. Expect was answered by our own server;
#: Proxy would become an environment variable in some programs (httpoxy).
_SAID_ANEW = (
    *("Host", "Expect", "Forwarded", "Proxy", "X-Real-IP"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server"),
    *("Bookshelf-Time-Left", "Bookshelf-Try"),  # ours to say (gateway/upstream/call.py)
    # of the gateway and of services among themselves, also those that are only reserved (docs/gateway.md)
    *(
        "Bookshelf-Scopes",
        "Bookshelf-Session",
        "Bookshelf-Signature",
        "Bookshelf-Admitted",
        "Bookshelf-Revision",
    ),
    *("X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Client-IP", "True-Client-IP"),
    *("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", ACTOR),
    "Bookshelf-Command",  # between instances of one service only (bookshelf/runtime/api/forwarding.py)
)
#: Checked by the gateway where a request may change something. A service has another name and would refuse.
_CHECKED = ("Origin", "Sec-Fetch-Site")
_NONE: frozenset[str] = frozenset()
#: What is left out of a request; and of an answer, where our own server says the date and its name itself.
_LEFT = frozenset(name.lower() for name in (*_HOP, *_SAID_ANEW))
_OURS = frozenset(name.lower() for name in (*_HOP, "Date", "Server"))
_VIA = "1.1 bookshelf"
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:_]{1,255}")
_REFERENCES = ("Location", "Content-Location")
#: A link's target that is an absolute path: </books?after=x>, but not <//elsewhere/books>.
_LINKED = re.compile(r"<(?=/(?!/))")


def onward(request: Request, prefix: str) -> CIMultiDict[str]:
    """Return the headers to ask a service with. What a client says of who it is, is not believed."""
    given = request.headers
    hop = _listed(given) if "Connection" in given else _NONE
    headers = CIMultiDict(
        [
            (name, value)
            for name, value in given.items()
            # programs that read headers from an environment take _ for -
            if (low := name.lower()) not in hop and low.replace("_", "-") not in _LEFT
        ]
    )
    if "Transfer-Encoding" in given:
        headers.popall("Content-Length", None)  # RFC 9112, 6.3: the encoding is what counts
    if "traceparent" in headers and not trace(headers):
        del headers["traceparent"]
    unmark(headers)
    if request.method not in SAFE_METHODS or upgrade(request):
        for name in _CHECKED:
            headers.popall(name, None)
    _say(request, given.get("Host"), headers)
    headers["X-Forwarded-Prefix"] = prefix
    former = headers.get("Via")
    headers["Via"] = f"{former}, {_VIA}" if former else _VIA
    return headers


def _say(request: Request, host: str | None, headers: CIMultiDict[str]) -> None:
    """Say where the request is from, how it came, and what it is."""
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
    """Write RFC 7239's form of the same: an address of IPv6, and a host with a port, go in quotes."""
    client = f'"[{peer}]"' if ":" in peer else peer or "unknown"
    said = f';host="{host}"' if host and _HOST.fullmatch(host) else ""
    return f"for={client};proto={scheme}{said}"


def upgrade(request: Request) -> bool:
    """Whether the client asks for a WebSocket, the one protocol that is passed through (RFC 6455, 4.1)."""
    return isinstance(request.body, UpgradedStream)


def back(answer: Response, prefix: str) -> CIMultiDict[str]:
    """Return the headers to answer a client with: references get the prefix that its requests have."""
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
    """Return what Connection lists: fields for this hop alone."""
    lines = (value for name, value in headers.items() if name.lower() == "connection")
    return frozenset(name.strip().lower() for line in lines for name in line.split(","))
