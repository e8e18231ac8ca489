"""What the parser lets pass and could be read in two ways: refused before anyone looks at it."""

import re

from aiohttp.http_parser import RawRequestMessage

#: RFC 3986's host and port, without what only a user's name could have.
_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:%]{0,260}")


def flaw(message: RawRequestMessage) -> str | None:
    """Return what is wrong with a request's head; None for nothing (RFC 9112, 3.2 and 6.1)."""
    headers = message.headers
    if _HOST.fullmatch(headers.get("Host", "")) is None:
        return "Host is a name or an address, and perhaps a port"
    coding = headers.get("Transfer-Encoding")
    if coding is None:
        return None
    if message.version.minor == 0:
        return "HTTP/1.0 has no Transfer-Encoding"
    return None if coding.lower() == "chunked" else "the one Transfer-Encoding that is taken is chunked"
