"""What requests and answers say in headers: entity tags, idempotency keys, positions.

Sources: RFC 9110 (ETag, If-Match, If-None-Match); draft-ietf-httpapi-idempotency-key-header.
"""

import re
from collections.abc import Iterable

from bookshelf.cqrs.position import Position, parse_position
from bookshelf.runtime.http.message import Headers
from bookshelf.runtime.http.problem import Fault, Problem

POSITION = "Bookshelf-Position"
AFTER = "Bookshelf-After"
KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

#: Characters of an idempotency key, and positions in one Bookshelf-After.
_KEY_FORM = re.compile(r'"?([\x21\x23-\x7e][\x20\x21\x23-\x7e]{0,253}[\x21\x23-\x7e]|[\x21\x23-\x7e])"?')
_MAX_POSITIONS = 64
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def key(headers: Headers) -> str | None:
    """Return the Idempotency-Key, bare or quoted; None if there is none. Raises `Problem`."""
    given = headers.get(KEY)
    if given is None:
        return None
    found = _KEY_FORM.fullmatch(given)
    if found is None:
        raise _bad(KEY, "is 1 to 255 printable ASCII characters, without quotes inside")
    return found[1]


def after(headers: Headers) -> list[Position]:
    """Return the positions of Bookshelf-After. Raises `Problem`."""
    given = headers.get(AFTER)
    if not given:
        return []
    texts = given.split(",")
    if len(texts) > _MAX_POSITIONS:
        raise _bad(AFTER, f"has {_MAX_POSITIONS} positions at the most")
    try:
        return [parse_position(text.strip()) for text in texts]
    except ValueError as fault:
        raise _bad(AFTER, f"is one or more positions, separated by commas: {fault}") from None


def _bad(header: str, detail: str) -> Problem:
    return Problem("malformed", f"{header} {detail}", Fault(detail, header=header))


def expects(headers: Headers) -> frozenset[int] | None:
    """Return the versions of which If-Match allows one; None if it allows all. A weak tag allows none."""
    given = headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    strong = (tag for weak, tag in _TAG.findall(given) if not weak)
    return frozenset(int(tag) for tag in strong if tag.isascii() and tag.isdigit())


def unchanged(headers: Headers, tag: str) -> bool:
    """Whether If-None-Match names this tag (with its quotes): then 304 says all."""
    given = headers.get("If-None-Match")
    if given is None:
        return False
    return given.strip() == "*" or tag.strip('"') in _names(given)


def _names(given: str) -> Iterable[str]:
    return (name for _, name in _TAG.findall(given))
