"""Compression of answers, where it is safe and worth it.

An answer that depends on a secret next to something that its asker chose is not compressed: its length would
give the secret away byte by byte (BREACH). Here that is one to a request with Authorization, and one that
sets a cookie. Nothing that comes in is ever inflated: there is no bomb to set off.
"""

import re
import zlib
from collections import OrderedDict

from multidict import CIMultiDict

from bookshelf.http.message import Request, Response

_SAFE = re.compile(
    r"(text/(?!event-stream)|application/([a-z.+-]*\+)?(json|xml|javascript)\b|image/svg)", re.IGNORECASE
)
_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=([0-9.]+)\s*)?(?=,|$)", re.IGNORECASE)
#: Bytes of an answer that is worth it, and that does not hold everyone else up.
_LEAST, _MOST = 1024, 1 << 20
_LEVEL = 4
_GZIP_FORM = 16 + zlib.MAX_WBITS
#: Answers that are remembered: the same list is asked for again and again.
_KEPT = 32
#: Partial Content, and the refusal of a range (RFC 9110, 15.3.7 and 15.5.17).
_PARTS = frozenset({206, 416})
_MARK = "--gzip"
_MARKED = re.compile(_MARK + r'(?=")')


class GzipResponses:
    """Compresses whole answers. An entity tag is marked, for it names other bytes (RFC 9110, 8.8.3)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    def pack(self, request: Request, response: Response, headers: CIMultiDict[str]) -> bytes | None:
        """Return the compressed body and say so in the headers; None if it stays as it is."""
        body = response.body
        if not isinstance(body, bytes) or not _LEAST <= len(body) <= _MOST:
            return None
        if "Content-Encoding" in headers or not _SAFE.match(headers.get("Content-Type", "")):
            return None
        if "no-transform" in headers.get("Cache-Control", "") or _partial(request, response):
            return None
        headers.add("Vary", "Accept-Encoding")
        if request.method == "HEAD" or _secret(request, headers) or not _takes(request):
            return None
        packed = self._packed(body)
        headers["Content-Encoding"] = "gzip"
        headers.popall("Content-Length", None)
        tag = headers.get("ETag")
        if tag is not None:
            headers["ETag"] = f'{tag[:-1]}{_MARK}"'
        return packed

    def _packed(self, body: bytes) -> bytes:
        found = self._kept.get(body)
        if found is not None:
            self._kept.move_to_end(body)
            return found
        form = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_FORM)
        packed = self._kept[body] = form.compress(body) + form.flush()
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return packed


def unmark(headers: CIMultiDict[str]) -> None:
    """Turn the tags of compressed answers back into those that services gave.

    Not in If-Range: a part of the service's bytes does not continue compressed ones, so there it is to be
    another tag, and the answer all of it.
    """
    for name in ("If-Match", "If-None-Match"):
        given = headers.get(name)
        if given is not None and _MARK in given:
            headers[name] = _MARKED.sub("", given)


def _partial(request: Request, response: Response) -> bool:
    """Whether it is a part, or was asked for as one: ranges count the bytes that the service has."""
    return "Range" in request.headers or response.status in _PARTS or "Content-Range" in response.headers


def _secret(request: Request, headers: CIMultiDict[str]) -> bool:
    return "Authorization" in request.headers or "Set-Cookie" in headers


def _takes(request: Request) -> bool:
    found = _GZIP.search(request.headers.get("Accept-Encoding", ""))
    return found is not None and (found[1] is None or found[1].strip("0.") != "")
