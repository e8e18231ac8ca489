"""Compression of responses, where it is safe and worth its cost.

A response that has a secret beside text that the client chose is not compressed: its length would reveal the
secret byte by byte (BREACH). That is a response to a request with Authorization, and one that sets a cookie.
The gateway never decompresses requests or responses, so a compression bomb has no effect.
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
#: Bytes of a response that is worth compressing, and of one that does not delay other requests.
_LEAST, _MOST = 1024, 1 << 20
_LEVEL = 4
_GZIP_FORM = 16 + zlib.MAX_WBITS
#: The most compressed bodies that are cached: the same list is requested again and again.
_KEPT = 32
#: Partial Content, and the refusal of a range (RFC 9110, 15.3.7 and 15.5.17).
_PARTS = frozenset({206, 416})
_MARK = "--gzip"
_MARKED = re.compile(_MARK + r'(?=")')


class GzipResponses:
    """Compresses whole responses and marks their entity tags, which name other bytes (RFC 9110, 8.8.3)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    def compress(self, request: Request, response: Response, headers: CIMultiDict[str]) -> bytes | None:
        """Return the compressed body and update the headers; None if the body stays uncompressed."""
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
        cached = self._kept.get(body)
        if cached is not None:
            self._kept.move_to_end(body)
            return cached
        form = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_FORM)
        packed = self._kept[body] = form.compress(body) + form.flush()
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return packed


def unmark(headers: CIMultiDict[str]) -> None:
    """Replace the entity tags of compressed responses in a request by those of the services.

    If-Range keeps its tag: a part of the uncompressed bytes cannot continue compressed ones, so the tag must
    not match, and the response is the whole content.
    """
    for name in ("If-Match", "If-None-Match"):
        given = headers.get(name)
        if given is not None and _MARK in given:
            headers[name] = _MARKED.sub("", given)


def _partial(request: Request, response: Response) -> bool:
    """Return True for a range request or response: ranges count bytes of the uncompressed content."""
    return "Range" in request.headers or response.status in _PARTS or "Content-Range" in response.headers


def _secret(request: Request, headers: CIMultiDict[str]) -> bool:
    return "Authorization" in request.headers or "Set-Cookie" in headers


def _takes(request: Request) -> bool:
    match = _GZIP.search(request.headers.get("Accept-Encoding", ""))
    return match is not None and (match[1] is None or match[1].strip("0.") != "")
