"""What the timelines answer: whole photos, comments, votes and people."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.cqrs.message import sealed
from bookshelf.photos.events import StoredImage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # which the text of a time does not name
Time = Annotated[str, Meta(examples=["2026-11-25T09:30:00.123456Z"])]


class PersonName(msgspec.Struct, frozen=True):
    """A person by id and name. The name of a former member is null."""

    id: str
    name: Annotated[str, sealed("name")] | None


class ShownComment(msgspec.Struct, frozen=True):
    """A comment on a photo."""

    id: str
    person: PersonName
    text: Annotated[str, sealed("comment")]
    at: Time


class WholePhoto(msgspec.Struct, frozen=True, kw_only=True):
    """A photo with its counts, and with the caller's vote.

    `mine` is 1, -1, or null. `score` is `up` less `down`, `percent` the rounded down share of `up`. `version`
    is the value for `If-Match`.
    """

    id: str
    owner: PersonName
    title: str
    description: str
    credit: str
    added: Time
    width: int
    height: int
    animated: bool
    placeholder: str
    images: dict[str, StoredImage]
    up: int
    down: int
    votes: int
    score: int
    percent: int
    mine: int | None
    comments: int
    last_comments: tuple[ShownComment, ...]
    version: str


class OwnVote(msgspec.Struct, frozen=True):
    """A vote of the caller: `way` is 1 or -1."""

    photo: WholePhoto
    way: int
    at: Time


class OwnComment(msgspec.Struct, frozen=True):
    """A comment of the caller, with its photo."""

    id: str
    person: PersonName
    text: Annotated[str, sealed("comment")]
    at: Time
    photo: WholePhoto


class PersonAnswer(msgspec.Struct, frozen=True):
    """A person with a profile. `avatar` is the id of a photo of this person, or empty."""

    id: str
    name: Annotated[str, sealed("name")]
    about: Annotated[str, sealed("about")]
    avatar: str
    since: Time | None


@lru_cache(maxsize=4096)
def time_text(at_us: int) -> str:
    """Return a time in microseconds since 1970 as an answer has it."""
    return f"{(_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec='microseconds')}Z"


def percent(up: int, down: int) -> int:
    """Return the share of `up`, rounded down; 0 without votes."""
    return 100 * up // (up + down) if up + down else 0
