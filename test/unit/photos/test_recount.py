"""The recount of photos finds a planted defect of each invariant, and nothing in what is right."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from support.counter_context import said
from support.photo_events import ADDED

from bookshelf.cqrs.message import Event
from bookshelf.photos.events import (
    CommentAdded,
    PhotoRemoved,
    ProfileClosed,
    ProfileClosing,
    VoteCast,
    VoteWithdrawn,
)
from bookshelf.photos.recount import Left, PhotoRecount

AT = datetime(2026, 11, 25, 10, tzinfo=UTC)
UP, DOWN = VoteCast(way=1, at=AT), VoteCast(way=-1, at=AT, previous=1, previous_at=AT)
BACK = VoteWithdrawn(previous=-1, previous_at=AT)
SAID = CommentAdded(person="bob", text="hello", at=AT)
GONE = PhotoRemoved(reason="owner")
History = Iterable[tuple[str, Event]]


def recounted(*history: tuple[str, Event]) -> PhotoRecount:
    recount = PhotoRecount()
    for key, event in history:
        record = said(event.TYPE, key, msgspec.json.encode(event))
        recount.add(record.key, record.value)
    return recount


RIGHT = (
    *(("p1", ADDED), ("p1~v-bob", UP), ("p1~v-bob", DOWN), ("p1~c-1", SAID), ("p2", ADDED)),
    *(("p2~v-bob", UP), ("p2", GONE), ("p2~v-eve", UP), ("p1~v-eve", UP)),
)


def test_what_is_right_has_no_violation() -> None:
    recount = recounted(*RIGHT)
    assert recount.violations == []
    assert recount.photos["p1"].counts == (1, 1, 1)
    assert recount.without_effect == 1
    assert list(recount.compared([("p1", 1, 1, 1)])) == []


def test_each_planted_defect_is_found() -> None:
    assert recounted(("p1", ADDED), ("p1~v-bob", UP), ("p1~v-bob", UP)).violations[0].startswith("I2")
    assert recounted(("p1", ADDED), ("p1~v-bob", BACK)).violations[0].startswith("I2")
    assert recounted(("p1~v-bob", UP)).violations[0].startswith("I3")
    assert recounted(("p1", ADDED), ("p1", PhotoRemoved(reason="moderator"))).violations[0].startswith("I4")
    assert recounted(("p1", ADDED), ("p1", ADDED)).violations[0].startswith("I8")
    [counted] = recounted(*RIGHT).compared([("p1", 2, 1, 1)])
    assert counted.startswith("I1 p1")
    [extra] = recounted(*RIGHT).compared([("p1", 1, 1, 1), ("p2", 1, 0, 0)])
    assert extra.startswith("I1 p2")


def test_what_is_left_of_a_person() -> None:
    closing = ("bob", ProfileClosing(round=2, at=AT))
    assert recounted(*RIGHT, closing).left() == [Left("bob", 2, 0, 1, 2)]
    deleted = recounted(*RIGHT, closing, ("bob", ProfileClosed()))
    assert deleted.left() == []
    [left] = deleted.deletions_incomplete()
    assert left == "I7 bob: 0 photos, 1 comments and 2 votes are left"


def test_what_a_person_publishes_after_the_deletion_of_a_profile_is_not_left_over() -> None:
    earlier = AT - timedelta(seconds=1)
    deleted = (("bob", ProfileClosing(round=1, at=earlier)), ("bob", ProfileClosed()))
    recount = recounted(("p1", ADDED), *deleted, ("p1~v-bob", UP), ("p1~c-1", SAID))
    assert list(recount.deletions_incomplete()) == []


def test_a_vote_that_is_taken_back_before_the_removal_of_its_photo_is_read_is_no_violation() -> None:
    recount = recounted(
        ("p1", ADDED), ("p1", GONE), ("p1~v-bob", UP), ("p1~v-bob", VoteWithdrawn(previous=1, previous_at=AT))
    )
    assert (recount.violations, recount.without_effect) == ([], 2)
