"""Reading what one wrote, for browsers: a cookie keeps the positions of what was written.

DESIGN 4: a command's answer says where its events stand (Bookshelf-Position), and a query that sends
this back (Bookshelf-After) waits until its view is there. A browser sends nothing back but cookies.
"""

import re
from collections.abc import Iterable

from multidict import CIMultiDict

from bookshelf.runtime.edge.conditions import AFTER

COOKIE = "bookshelf-after"

#: Seconds for which it is kept (no view is this far behind), and positions in it.
_KEPT_S = 60
_MOST = 16
#: A header takes a comma between positions, a cookie does not (RFC 6265, 4.1.1).
_BETWEEN = "|"
_POSITION = re.compile(r"([a-z0-9][a-z0-9._-]{0,248}/[0-9]{1,9})@([0-9]{1,18})", re.ASCII)
_OURS = re.compile(rf"(?:^|;)\s*{COOKIE}=([^;]*)")

#: Offsets by topic and partition.
Positions = dict[str, int]


def taken(headers: CIMultiDict[str]) -> Positions:
    """Take our cookie out of a request's headers and return what it says; what is wrong in it is ignored."""
    lines = headers.getall("Cookie", ())
    if not any(COOKIE in line for line in lines):
        return {}
    del headers["Cookie"]
    positions: Positions = {}
    for line in lines:
        _add(positions, (text for value in _OURS.findall(line) for text in value.strip('" ').split(_BETWEEN)))
        rest = _OURS.sub("", line).lstrip("; ")
        if rest:
            headers.add("Cookie", rest)
    return positions


def ask(headers: CIMultiDict[str], positions: Positions) -> None:
    """Have a query wait for these positions, unless it says itself what it waits for."""
    if positions and AFTER not in headers:
        headers[AFTER] = ", ".join(_written(positions))


def cookie(answered: str, positions: Positions, path: str) -> str:
    """Return the Set-Cookie for what an answer's Bookshelf-Position says beside what was known before."""
    newest: Positions = {}
    _add(newest, (text.strip() for text in answered.split(",")))
    for place, offset in positions.items():
        _raise(newest, place, offset)
    value = _BETWEEN.join(_written(newest))
    return f"{COOKIE}={value}; Path={path}; Max-Age={_KEPT_S}; HttpOnly; SameSite=Lax"


def _add(positions: Positions, texts: Iterable[str]) -> None:
    for text in texts:
        found = _POSITION.fullmatch(text)
        if found is not None:
            _raise(positions, found[1], int(found[2]))


def _raise(positions: Positions, place: str, offset: int) -> None:
    if place in positions or len(positions) < _MOST:
        positions[place] = max(positions.get(place, 0), offset)


def _written(positions: Positions) -> Iterable[str]:
    return (f"{place}@{offset}" for place, offset in positions.items())
