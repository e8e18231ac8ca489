"""Reads the header fields of requests: entity tags, idempotency keys, positions, deadlines, trace ids.

Sources: RFC 9110 (ETag, If-Match, If-None-Match); RFC 7240 (Prefer: wait);
draft-ietf-httpapi-idempotency-key-header; W3C Trace Context (traceparent).
"""

import re
from collections.abc import Callable, Iterable

from bookshelf.cqrs.envelope import NO_TOKEN
from bookshelf.cqrs.position import FORM, Position, parse_position
from bookshelf.http.message import Headers
from bookshelf.http.problem import Fault, Problem

POSITION = "Bookshelf-Position"
AFTER = "Bookshelf-After"
#: The positions that a client of a stream has received everything up to.
LAST_EVENT = "Last-Event-ID"
#: The newest revision of a service that a gateway has seen in an answer, and the one of an answer.
REVISION = "Bookshelf-Revision"
#: The gates that have admitted a request, signed (bookshelf/runtime/agent/gate.py).
ADMITTED = "Bookshelf-Admitted"
#: How many members the domain has as the node knows it that sends a vote.
MEMBERS = "Bookshelf-Members"
KEY = "Idempotency-Key"
#: The user that a request comes from, set by the gateway (identity.py).
ACTOR = "Bookshelf-Actor"
REPLAYED = "Idempotency-Replayed"
#: The id of the change that a command has made; the id of the change that it takes back; what joins changes.
CHANGE = "Bookshelf-Change"
UNDOES = "Bookshelf-Undoes"
CORRELATION = "Bookshelf-Correlation"
#: The fencing token of the sender's lease, for the commands of a fenced aggregate.
TOKEN = "Bookshelf-Fencing-Token"  # noqa: S105 (no secret)
#: How many items a list has on all its pages together.
COUNT = "Bookshelf-Count"
#: The kind of problem for which a gateway refuses a form; the service of the page shows what was typed.
REFUSED = "Bookshelf-Refused"
#: The roots of the pages that the gateway routes, with spaces between: pages link no site that is not there.
SITES = "Bookshelf-Sites"
#: In an answer of an instance that does not own the partition, which has done nothing; removed by gateways.
MOVING = "Bookshelf-Moving"
#: Seconds that the sender will still wait for the answer.
TIME_LEFT = "Bookshelf-Time-Left"
#: The number of the attempt; set if the idempotency key was made by the gateway and not by the client.
TRY = "Bookshelf-Try"

#: How long the client prefers to wait, and what was done of that.
PREFER = "Prefer"
APPLIED = "Preference-Applied"
#: The most seconds that a request may prefer to wait, and those of its deadline that are left for the answer.
MOST_WAIT_S = 10
_SPARE_S = 1.0

#: In place of positions: all that is in the log when the request comes.
END = "end"

#: The form of an idempotency key, and the most positions in one Bookshelf-After.
_KEY_FORM = re.compile(r'"?([\x21\x23-\x7e][\x20\x21\x23-\x7e]{0,253}[\x21\x23-\x7e]|[\x21\x23-\x7e])"?')
_MAX_POSITIONS = 64
#: The most positions in one Last-Event-ID.
_MAX_PARTITIONS = 1000

#: The same for JSON Schema, where a pattern that is not anchored may match anywhere.
KEY_PATTERN = f"^{_KEY_FORM.pattern}$"
# The number of positions is not counted here: RE2 takes no counted group that counts inside.
AFTER_PATTERN = f"^({FORM.pattern}( *, *{FORM.pattern})*|{END})?$"
LAST_PATTERN = f"^({FORM.pattern}( *, *{FORM.pattern})*)?$"
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
#: The version of an aggregate; after a point what else the answer shows, which no command changes.
_VERSION = re.compile(r"([0-9]{1,18})(\.(?:([0-9]{1,18})|[0-9A-Za-z-]{1,64}))?", re.ASCII)
_OFFSET = re.compile(r"[0-9]{1,18}", re.ASCII)
_QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)", re.ASCII)
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ACTOR = re.compile(r"[\x21-\x7e]{1,128}")
_NAME = re.compile(r"[\x21-\x7e]{1,128}")
#: The form of a change's id and of a correlation id, for JSON Schema.
NAME_PATTERN = f"^{_NAME.pattern}$"
#: The form of a fencing token, for JSON Schema.
TOKEN_PATTERN = f"^{_OFFSET.pattern}$"
_WAIT = re.compile(r'wait\s*=\s*("?)([0-9]{1,9})\1\s*(;.*)?', re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def key(headers: Headers, name: str = KEY) -> str | None:
    """Return the Idempotency-Key, bare or quoted; None if there is none. Raises `Problem`."""
    given = headers.get(name)
    if given is None:
        return None
    match = _KEY_FORM.fullmatch(given)
    if match is None:
        raise _bad(name, "is 1 to 255 printable ASCII characters, without quotes inside")
    return match[1]


def outcome_unknown(headers: Headers, made: str | None = None) -> Problem:
    """Return the 504 for a command that may or may not have been carried out.

    It has the key with which the client can safely send the command again: the one in `headers`, else the id
    that was `made` for the command. Without either, the detail asks the client to look first.
    """
    match = _KEY_FORM.fullmatch(headers.get(KEY, made or ""))
    unknown = "the service did not answer in time, so whether this was done is not known; "
    if match is None:
        return Problem("gateway-timeout", unknown + f"look before you send it again, or use the same {KEY}")
    detail = f"{unknown}send it again with the header {KEY}: {match[1]}"
    problem = Problem("gateway-timeout", detail, Idempotency_Key=match[1])
    problem.members = {KEY.lower(): match[1]}
    return problem


def token(headers: Headers) -> int:
    """Return the fencing token; NO_TOKEN without one. Raises `Problem`."""
    given = headers.get(TOKEN)
    if given is None:
        return NO_TOKEN
    if _OFFSET.fullmatch(given) is None:
        raise _bad(TOKEN, "is the fencing token of a lease: a number of up to 18 digits")
    return int(given)


def after(headers: Headers) -> list[Position]:
    """Return the positions of Bookshelf-After, none if it is `end`. Raises `Problem`."""
    return [] if to_end(headers) else _positions(headers, AFTER, _MAX_POSITIONS)


def to_end(headers: Headers) -> bool:
    """Return True if the answer is to include all that is in the log when the request comes."""
    return headers.get(AFTER) == END


def last_event(headers: Headers) -> list[Position]:
    """Return the positions of Last-Event-ID: one for each partition of a topic. Raises `Problem`."""
    return _positions(headers, LAST_EVENT, _MAX_PARTITIONS)


def _positions(headers: Headers, name: str, most: int) -> list[Position]:
    given = headers.get(name)
    if not given:
        return []
    texts = given.split(",")
    if len(texts) > most:
        raise _bad(name, f"has {most} positions at the most")
    try:
        return [parse_position(text.strip()) for text in texts]
    except ValueError as fault:
        raise _bad(name, f"is one or more positions, separated by commas: {fault}") from None


def _bad(header: str, detail: str) -> Problem:
    return Problem("malformed", f"{header} {detail}", Fault(detail, header=header))


def expects(headers: Headers) -> frozenset[int] | None:
    """Return the versions of which If-Match allows one; None if it allows all. A weak tag allows none."""
    return _expected(headers, lambda version: int(version[1]))


def expects_part(headers: Headers) -> frozenset[int] | None:
    """Return the versions of a part of the answer, those after the point, of which If-Match allows one.

    None if it allows all. A tag without a point names the version of the part alone.
    """
    return _expected(headers, lambda version: int(version[3] or version[1]))


def _expected(headers: Headers, read: Callable[[re.Match[str]], int]) -> frozenset[int] | None:
    given = headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    strong = (tag for weak, tag in _TAG.findall(given) if not weak)
    return frozenset(read(match) for tag in strong if (match := _VERSION.fullmatch(tag)))


def tags_of(versions: Iterable[int]) -> str:
    """Return the If-Match that allows these versions; without any it allows none."""
    return ", ".join(f'"{version}"' for version in sorted(versions)) or '""'


def prefers(headers: Headers, media_type: str) -> bool:
    """Return True if Accept ranks a media type above JSON (RFC 9110)."""
    ranks: dict[str, float] = {}
    for part in ",".join(headers.getall("Accept", [])).split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((name[2:] for name in parameters if name.startswith("q=")), "1")
        ranks[kind] = float(quality) if _QUALITY.fullmatch(quality) else 0.0
    json = next((ranks[kind] for kind in ("application/json", "application/*") if kind in ranks), 0.0)
    return ranks.get(media_type, 0.0) > json


def trace(headers: Headers) -> str:
    """Return the traceparent; empty if there is none, or none that is well formed."""
    given = headers.get("traceparent", "")
    return given if _TRACE.fullmatch(given) else ""


def time_left(headers: Headers, most_s: float) -> float:
    """Return the seconds that the sender still waits, from the header, at most `most_s`.

    Raises `Problem` if none are left.
    """
    given = headers.get(TIME_LEFT)
    if given is None or _SECONDS.fullmatch(given) is None:
        return most_s
    left_s = float(given)
    if left_s <= 0:
        raise Problem("gateway-timeout", "the deadline was over before processing started; nothing was done")
    return min(left_s, most_s)


def wait_s(headers: Headers) -> int | None:
    """Return the seconds that the client prefers to wait for a thing to be at rest; None if it does not.

    They are at most 10. A preference that cannot be read is ignored.
    """
    for preference in ",".join(headers.getall(PREFER, ())).split(","):
        if match := _WAIT.fullmatch(preference.strip()):
            return min(int(match[2]), MOST_WAIT_S)
    return None


def waited_s(headers: Headers, most_s: float) -> float:
    """Return the seconds for which a request may wait: at most these, and less if its sender leaves earlier.

    Raises `Problem` as `time_left` does.
    """
    return max(0.0, min(most_s, time_left(headers, most_s + _SPARE_S) - _SPARE_S))


def actor(headers: Headers) -> str:
    """Return the user that the request comes from; "reader" if none is named."""
    given = headers.get(ACTOR, "")
    return given if _ACTOR.fullmatch(given) else "reader"


def name(headers: Headers, field: str) -> str:
    """Return the id that a header field holds; empty if there is none. Raises `Problem`."""
    given = headers.get(field)
    if given is not None and not _NAME.fullmatch(given):
        raise _bad(field, "is 1 to 128 printable ASCII characters, without spaces")
    return given or ""


def unchanged(headers: Headers, tag: str) -> bool:
    """Return True if If-None-Match has this tag (with its quotes), so that the answer is 304."""
    given = headers.get("If-None-Match")
    if given is None:
        return False
    return given.strip() == "*" or tag.strip('"') in _names(given)


def _names(given: str) -> Iterable[str]:
    return (name for _, name in _TAG.findall(given))
