"""Read-your-writes for browsers: cookies keep the positions of what a browser has written.

A command's response has the position of its events (Bookshelf-Position). A query that sends it back
(Bookshelf-After) waits until its view has applied it, and a command is decided on a state that includes it. A
browser sends nothing back but cookies. There is one for each partition, so that the responses of concurrent
requests do not overwrite each other's.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from multidict import CIMultiDict

from bookshelf.runtime.api.header_fields import AFTER

#: The prefix of the cookie names: bookshelf-after-TOPIC-PARTITION. The value is OFFSET.SECONDS: the offset
#: and the time of the write. A cookie with just this name is of a former version; its value lists positions.
COOKIE = "bookshelf-after"

#: Seconds for which a cookie is kept (no view is this far behind), and how many cookies are kept.
KEPT_S = 60
MOST = 32
#: Positions in one Bookshelf-After (bookshelf/runtime/api/header_fields.py).
_MOST_ASKED = 64
_FORMER_BETWEEN = "|"
_TOPIC = r"[a-z0-9][a-z0-9._-]{0,248}"
_POSITION = re.compile(rf"({_TOPIC}/[0-9]{{1,9}})@([0-9]{{1,18}})", re.ASCII)
_OURS = re.compile(rf"(?:^|;)\s*{COOKIE}(?:-({_TOPIC})-([0-9]{{1,9}}))?=([^;]*)", re.ASCII)
_VALUE = re.compile(r"([0-9]{1,18})\.([0-9]{1,12})", re.ASCII)


class Written(NamedTuple):
    """The offset of a write, and the second in which it happened; 0 if that is unknown."""

    offset: int
    second: int


#: The last write by topic/partition.
Positions = dict[str, Written]


def taken(headers: CIMultiDict[str]) -> Positions:
    """Remove our cookies from a request's headers and return their positions; malformed ones are ignored."""
    lines = headers.getall("Cookie", ())
    if not any(COOKIE in line for line in lines):
        return {}
    del headers["Cookie"]
    positions: Positions = {}
    for line in lines:
        for topic, partition, value in _OURS.findall(line):
            if topic:
                _add_cookie(positions, f"{topic}/{partition}", value.strip('" '))
            else:
                _add_positions(positions, value.strip('" ').split(_FORMER_BETWEEN), 0)
        rest = _OURS.sub("", line).lstrip("; ")
        if rest:
            headers.add("Cookie", rest)
    return positions


def ask(headers: CIMultiDict[str], known: Positions) -> None:
    """Add the newest positions of the cookies to the request's own Bookshelf-After.

    A header that is malformed or too long is left as it is: the service refuses it.
    """
    if not known:
        return
    given = [text.strip() for line in headers.getall(AFTER, ()) if line for text in line.split(",")]
    asked: Positions = {}
    if len(given) > _MOST_ASKED or not _add_positions(asked, given, 0):
        return
    for place in _newest(known)[:MOST]:
        if place in asked or len(asked) < _MOST_ASKED:
            _raise(asked, place, known[place])
    headers[AFTER] = ", ".join(f"{place}@{written.offset}" for place, written in asked.items())


def cookies(answered: str, known: Positions, second: int) -> list[str]:
    """Return Set-Cookie values for the positions in a response's Bookshelf-Position.

    `known`: the positions of the request's cookies; if there are too many in all, the oldest cookies are
    deleted. `second`: the time of the response.
    """
    written: Positions = {}
    _add_positions(written, [text.strip() for text in answered.split(",")][:MOST], second)
    for place, (offset, _) in written.items():
        written[place] = Written(max(offset, known[place].offset) if place in known else offset, second)
    oldest = _newest({**known, **written})[MOST:]
    made = [_cookie(place, f"{offset}.{second}", KEPT_S) for place, (offset, _) in written.items()]
    return made + [_cookie(place, "", 0) for place in oldest]


def _cookie(place: str, value: str, age_s: int) -> str:
    topic, _, partition = place.rpartition("/")
    name = f"{COOKIE}-{topic}-{partition}"
    return f"{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax"


def _newest(positions: Positions) -> list[str]:
    """Return the topics/partitions, the latest write first."""
    return sorted(positions, key=lambda place: -positions[place].second)


def _add_cookie(positions: Positions, place: str, value: str) -> None:
    match = _VALUE.fullmatch(value)
    if match is not None:
        _raise(positions, place, Written(int(match[1]), int(match[2])))


def _add_positions(positions: Positions, texts: Iterable[str], second: int) -> bool:
    """Add the texts that are positions; return True if all are."""
    all_valid = True
    for text in texts:
        match = _POSITION.fullmatch(text)
        if match is None:
            all_valid = False
        else:
            _raise(positions, match[1], Written(int(match[2]), second))
    return all_valid


def _raise(positions: Positions, place: str, written: Written) -> None:
    before = positions.get(place, written)
    positions[place] = Written(max(before.offset, written.offset), max(before.second, written.second))
