"""Which part of a file a request asks for.

Source: RFC 9110, 13.1.5 (If-Range) and 14 (range requests).
"""

import re

from bookshelf.http.message import Headers
from bookshelf.http.problem import Problem

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


def requested_range(headers: Headers, size: int, tag: str) -> range | None:
    """Return the offsets of the part that is asked for of `size` bytes; None for all of them.

    `tag` is the strong entity tag of the bytes. Several ranges at once, other units, and what is no range are
    answered with all bytes, as the RFC allows. Raises `Problem`: range.
    """
    match = _ONE_RANGE.fullmatch(headers.get("Range", "").strip())
    if match is None or headers.get("If-Range", tag) != tag:
        return None
    first, last = match[1], match[2]
    if (not first and not last) or (first and last and int(last) < int(first)):
        return None
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        raise Problem("range", f"the file has {size} bytes", Content_Range=f"bytes */{size}")
    return range(start, stop)
