"""Reading what one wrote, for browsers: cookies keep the positions of what was written.

A command's answer names the position of its events (Bookshelf-Position). A query that sends it back
(Bookshelf-After) waits until its view is there, and a command that does is decided on a state that includes
it. A browser sends nothing back but cookies. There is one for each partition, so that the answers of requests
that run in parallel do not overwrite each other's.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from multidict import CIMultiDict

from bookshelf.runtime.api.header_fields import AFTER

#: The names of the cookies begin with it: bookshelf-after-TOPIC-PARTITION. The value is OFFSET.SECONDS: where
#: and when it was written. A cookie with just this name is of a former version; its value lists positions.
COOKIE = "bookshelf-after"

#: Seconds for which one is kept (no view is this far behind), and how many of them.
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
    """An offset, and the second in which it was written; 0 if that is not known."""

    offset: int
    second: int


#: What was written, by topic/partition.
Positions = dict[str, Written]


def taken(headers: CIMultiDict[str]) -> Positions:
    """Take our cookies out of a request's headers and return what they say, without what is wrong in them."""
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

    One that cannot be read, or is too long, is left as it is: the service refuses it.
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


def cookies(answered: str, known: Positions, path: str, second: int) -> list[str]:
    """Return the Set-Cookie of each position in an answer's Bookshelf-Position, which came in this second.

    If there are too many with those `known` before, the oldest are dropped.
    """
    written: Positions = {}
    _add_positions(written, [text.strip() for text in answered.split(",")][:MOST], second)
    for place, (offset, _) in written.items():
        written[place] = Written(max(offset, known[place].offset) if place in known else offset, second)
    oldest = _newest({**known, **written})[MOST:]
    made = [_cookie(place, f"{offset}.{second}", KEPT_S, path) for place, (offset, _) in written.items()]
    return made + [_cookie(place, "", 0, path) for place in oldest]


def _cookie(place: str, value: str, age_s: int, path: str) -> str:
    topic, _, partition = place.rpartition("/")
    name = f"{COOKIE}-{topic}-{partition}"
    return f"{name}={value}; Path={path}; Max-Age={age_s}; HttpOnly; SameSite=Lax"


def _newest(positions: Positions) -> list[str]:
    """Return the places, the one that was written last first."""
    return sorted(positions, key=lambda place: -positions[place].second)


def _add_cookie(positions: Positions, place: str, value: str) -> None:
    found = _VALUE.fullmatch(value)
    if found is not None:
        _raise(positions, place, Written(int(found[1]), int(found[2])))


def _add_positions(positions: Positions, texts: Iterable[str], second: int) -> bool:
    """Add what is a position; return whether everything was one."""
    sound = True
    for text in texts:
        found = _POSITION.fullmatch(text)
        if found is None:
            sound = False
        else:
            _raise(positions, found[1], Written(int(found[2]), second))
    return sound


def _raise(positions: Positions, place: str, written: Written) -> None:
    before = positions.get(place, written)
    positions[place] = Written(max(before.offset, written.offset), max(before.second, written.second))
