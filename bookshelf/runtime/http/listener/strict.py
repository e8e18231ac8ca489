"""What the parser lets pass and could be read in two ways: refused before anyone looks at it."""

import re

from multidict import CIMultiDict

#: RFC 3986's host and port, without what only a user's name could have.
_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:%]{0,260}")
_VERSIONS = frozenset({"1.1", "1.0"})


def flaw(method: str, version: str, headers: CIMultiDict[str]) -> str | None:
    """Return what is wrong with a request's head; None for nothing (RFC 9112, 3.2 and 6.1)."""
    if version not in _VERSIONS:
        return "HTTP/1.1 is spoken here"
    if method == "CONNECT":
        return "CONNECT is for proxies that lead anywhere (RFC 9110, 9.3.6)"
    hosts = headers.getall("Host", ())
    if len(hosts) != 1:
        if hosts or version == "1.1":
            return "a request has one Host"
    elif _HOST.fullmatch(hosts[0]) is None:
        return "Host is a name or an address, and perhaps a port"
    coding = headers.get("Transfer-Encoding")
    return None if coding is None else _miscoded(version, coding)


def _miscoded(version: str, coding: str) -> str | None:
    if version == "1.0":
        return "HTTP/1.0 has no Transfer-Encoding"
    return None if coding.lower() == "chunked" else "the one Transfer-Encoding that is taken is chunked"
