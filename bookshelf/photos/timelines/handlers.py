"""The handlers of the view of timelines: what each event of photos changes in its rows.

A vote event carries what it replaces, so counts are added to and never made again. What follows the removal
of a photo has no effect: a vote or comment is inserted only while the photo is live.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET
from sqlalchemy import BigInteger, Integer, and_, bindparam, delete, exists, insert, literal, select, update

from bookshelf.cqrs.parent import SEPARATOR
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.photos import events
from bookshelf.photos.events import EVENTS, TOPIC, StoredImage
from bookshelf.photos.images import images_of
from bookshelf.photos.timelines.tables import (
    CLOSED,
    CLOSING,
    LIVE,
    OPEN,
    REMOVED,
    TABLES,
    comments,
    days,
    facts,
    people,
    photos,
    votes,
)
from bookshelf.storage.statements import TEXT

#: The version of tables and handlers; that of a view also has its time zone.
_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 (as below)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode


class ShownPhoto(msgspec.Struct, frozen=True):
    """What of a photo is only shown: neither sorted by nor changed. A row has it as JSON."""

    width: int
    height: int
    animated: bool
    placeholder: str
    images: dict[str, StoredImage]


def _of(name: str) -> Any:  # noqa: ANN401 (a parameter, of whatever statement)
    return bindparam(name, type_=TEXT)


def _count(name: str) -> Any:  # noqa: ANN401 (as above)
    return bindparam(name, type_=BigInteger)


_row, _photo, _person = _of("row"), _of("of_photo"), _of("of_person")
_is_live = exists().where(and_(facts.c.photo == _photo, facts.c.state == LIVE))
_live_fact = select(literal(1)).where(facts.c.photo == _photo, facts.c.state == LIVE)
_ADD, _ADD_FACT = insert(photos), insert(facts)
_END_FACT = update(facts).where(facts.c.photo == _row).values(state=REMOVED)
_END = update(photos).where(photos.c.id == _row).values(state=REMOVED, version=bindparam("offset"))
_DESCRIBE = {
    name: update(photos)
    .where(photos.c.id == _row)
    .values({name: bindparam("new"), "version": bindparam("offset")})
    for name in ("title", "description", "credit")
}
_VOTE = insert(votes).from_select(
    ["person", "photo", "way", "at"],
    _live_fact.with_only_columns(_person, _photo, bindparam("new_way", type_=Integer), _count("new_at")),
)
_mine = (votes.c.person == _person, votes.c.photo == _photo)
_REVOTE = update(votes).where(*_mine, _is_live).values(way=bindparam("new_way"), at=bindparam("new_at"))
_UNVOTE = delete(votes).where(*_mine)
_COUNT = (
    update(photos)
    .where(photos.c.id == _row, photos.c.state == LIVE)
    .values(
        up=photos.c.up + bindparam("more_up"),
        down=photos.c.down + bindparam("more_down"),
        score=photos.c.score + bindparam("more_score"),
    )
)
_of_day = (days.c.day == _of("of_day"), days.c.photo == _photo)
_BEGIN_DAY = insert(days).from_select(
    ["day", "photo", "score", "up", "down", "added"],
    select(_of("of_day"), facts.c.photo, *(literal(0, BigInteger) for _ in range(3)), facts.c.added).where(
        facts.c.photo == _photo, ~exists().where(*_of_day)
    ),
)
_COUNT_DAY = (
    update(days)
    .where(*_of_day)
    .values(
        up=days.c.up + bindparam("more_up"),
        down=days.c.down + bindparam("more_down"),
        score=days.c.score + bindparam("more_score"),
    )
)
_COMMENT = insert(comments).from_select(
    ["photo", "at", "id", "person", "text"],
    _live_fact.with_only_columns(_photo, _count("new_at"), _of("of_id"), _person, _of("new_text")),
)
_UNCOMMENT = delete(comments).where(comments.c.id == _of("of_id"), comments.c.photo == _photo)
_COUNT_COMMENTS = (
    update(photos)
    .where(photos.c.id == _row, photos.c.state == LIVE)
    .values(comments=photos.c.comments + bindparam("more"))
)
_FORGET, _REGISTER = delete(people).where(people.c.id == _row), insert(people)
_CHANGE = {
    name: update(people).where(people.c.id == _row).values({name: bindparam("new")})
    for name in ("name", "about", "avatar")
}


def micros(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def _added(event: events.PhotoAdded, recorded: Recorded) -> Iterable[Change]:
    photo, added = recorded.subject, micros(event.added)
    shown = ShownPhoto(
        event.master.width, event.master.height, event.animated, event.placeholder, dict(images_of(event))
    )
    yield _ADD_FACT, {"photo": photo, "added": added, "state": LIVE}
    row = {"id": photo, "owner": event.owner, "title": event.title, "description": event.description}
    counts = dict.fromkeys(("up", "down", "score", "comments"), 0)
    rest = {"credit": event.credit, "shown": _encode(shown).decode(), "added": added, "state": LIVE}
    yield _ADD, {**row, **rest, **counts, "version": recorded.offset}


def _described(event: events.PhotoDescribed, recorded: Recorded) -> Iterable[Change]:
    for name, statement in _DESCRIBE.items():
        if (text := getattr(event, name)) is not UNSET:
            yield statement, {"row": recorded.subject, "new": text, "offset": recorded.offset}


def _removed(_event: events.PhotoRemoved, recorded: Recorded) -> Iterable[Change]:
    yield _END_FACT, {"row": recorded.subject}
    yield _END, {"row": recorded.subject, "offset": recorded.offset}


def _child(recorded: Recorded) -> tuple[str, str]:
    """Return the photo, and the person or comment that the key of a child has after it."""
    photo, _, child = recorded.subject.partition(SEPARATOR)
    return photo, child[2:]


def _commented(event: events.CommentAdded, recorded: Recorded) -> Iterable[Change]:
    photo, comment = _child(recorded)
    named = {"of_photo": photo, "of_id": comment, "of_person": event.person}
    yield _COMMENT, {**named, "new_at": micros(event.at), "new_text": event.text}
    yield _COUNT_COMMENTS, {"row": photo, "more": 1}


def _uncommented(_event: events.CommentRemoved, recorded: Recorded) -> Iterable[Change]:
    photo, comment = _child(recorded)
    yield _UNCOMMENT, {"of_photo": photo, "of_id": comment}
    yield _COUNT_COMMENTS, {"row": photo, "more": -1}


def _counted(before: int, after: int) -> Mapping[str, int]:
    """Return how the counts change when a vote becomes another one; 0 is none."""
    up, down = (after == 1) - (before == 1), (after == -1) - (before == -1)
    return {"more_up": up, "more_down": down, "more_score": up - down}


class _Votes:
    """The handlers of votes, which count for the days of a time zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def cast(self, event: events.VoteCast, recorded: Recorded) -> Iterable[Change]:
        """Keep a vote, and count it instead of the one that it replaces."""
        photo, person = _child(recorded)
        previous = event.previous or 0
        named = {"of_person": person, "of_photo": photo}
        yield _REVOTE if previous else _VOTE, {**named, "new_way": event.way, "new_at": micros(event.at)}
        yield _COUNT, {"row": photo, **_counted(previous, event.way)}
        if previous and event.previous_at is not None:
            yield _COUNT_DAY, {**self._day(photo, event.previous_at), **_counted(previous, 0)}
        yield _BEGIN_DAY, self._day(photo, event.at)
        yield _COUNT_DAY, {**self._day(photo, event.at), **_counted(0, event.way)}

    def withdrawn(self, event: events.VoteWithdrawn, recorded: Recorded) -> Iterable[Change]:
        """Drop a vote, and count it no more."""
        photo, person = _child(recorded)
        yield _UNVOTE, {"of_person": person, "of_photo": photo}
        yield _COUNT, {"row": photo, **_counted(event.previous, 0)}
        yield _COUNT_DAY, {**self._day(photo, event.previous_at), **_counted(event.previous, 0)}

    def _day(self, photo: str, at: datetime) -> dict[str, str]:
        return {"of_day": day_of(at, self._zone), "of_photo": photo}


def day_of(at: datetime, zone: ZoneInfo) -> str:
    """Return the calendar day of a time in a zone, like 2026-11-25."""
    return at.astimezone(zone).date().isoformat()


def _registered(event: events.ProfileRegistered, recorded: Recorded) -> Iterable[Change]:
    yield _FORGET, {"row": recorded.subject}  # a former member may come back
    texts = {"name": event.name, "about": event.about, "avatar": event.avatar}
    yield _REGISTER, {"id": recorded.subject, **texts, "since": micros(event.at), "state": OPEN}


def _changed(event: events.ProfileChanged, recorded: Recorded) -> Iterable[Change]:
    for name, statement in _CHANGE.items():
        if (text := getattr(event, name)) is not UNSET:
            yield statement, {"row": recorded.subject, "new": text}


def _closed(event: events.ProfileClosing | events.ProfileClosed, recorded: Recorded) -> Iterable[Change]:
    state = CLOSED if isinstance(event, events.ProfileClosed) else CLOSING
    yield _FORGET, {"row": recorded.subject}  # also one that was never registered is named no more
    texts = dict.fromkeys(("name", "about", "avatar"), "")
    yield _REGISTER, {"id": recorded.subject, **texts, "since": 0, "state": state}


def timelines_view(zone: str) -> View:
    """Return the view, whose hot photos are those of a calendar day in this time zone.

    The zone is part of the version: another one rebuilds the rows.
    """
    of_zone = _Votes(ZoneInfo(zone))
    handlers: Mapping[type[Any], Handler] = {
        events.PhotoAdded: _added,
        events.PhotoDescribed: _described,
        events.PhotoRemoved: _removed,
        events.VoteCast: of_zone.cast,
        events.VoteWithdrawn: of_zone.withdrawn,
        events.CommentAdded: _commented,
        events.CommentRemoved: _uncommented,
        events.ProfileRegistered: _registered,
        events.ProfileChanged: _changed,
        events.ProfileClosing: _closed,
        events.ProfileClosed: _closed,
    }
    return View(
        name="timelines",
        topic=TOPIC,
        catalogue=EVENTS,
        tables=TABLES,
        handlers=handlers,
        version=_VERSION * 1_000_000 + crc32(zone.encode()) % 1_000_000,
        keyed=True,
        by_parent=True,
    )
