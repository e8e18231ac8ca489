"""The answers of the API that the gallery shows, and what its templates get of them."""

from base64 import b64decode
from binascii import Error as NoBase64
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Literal, NamedTuple

import msgspec
from babel.dates import format_timedelta

from bookshelf.cqrs.handler import Caller
from bookshelf.photos import person
from bookshelf.site.api_adapters import segment
from bookshelf.site.page_request import PageRequest

#: The widths of the pictures that the API has.
WIDTHS = (320, 1024, 2048)
#: How a vote is written in a form and in the API.
UP, DOWN, NONE = "up", "down", "none"
_MINUTE_S, _DAY_S = 60, 86_400
#: Seconds of a step in which "3 minutes ago" does not change: a minute is rounded at its half.
_STEP_S = 30


class GalleryPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person as others see it; a former member has no name."""

    id: str
    name: str | None = None


class GalleryComment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment, its author and its time."""

    id: str
    person: GalleryPerson
    text: str
    at: datetime


class GalleryPhoto(msgspec.Struct, frozen=True, kw_only=True):
    """A photo with its votes and its newest comments.

    `mine`: 1, -1, or None without a vote of the caller. `instead` is the address of a picture in place of
    those of the API: examples of pages have no photo there.
    """

    id: str
    owner: GalleryPerson
    title: str
    description: str = ""
    credit: str | None = ""
    added: datetime
    width: int
    height: int
    animated: bool = False
    placeholder: str = ""
    up: int = 0
    down: int = 0
    percent: int = 0
    mine: int | None = None
    comments: int = 0
    last_comments: tuple[GalleryComment, ...] = ()
    version: str | int | None = None
    instead: str = ""

    @property
    def score(self) -> int:
        """Votes for it without those against it."""
        return self.up - self.down

    @property
    def votes(self) -> int:
        """All votes."""
        return self.up + self.down

    @property
    def sources(self) -> tuple[tuple[str, int], ...]:
        """The addresses of its pictures with their widths: none is wider than the photo."""
        if self.instead:
            return ((self.instead, self.width),)
        widths = {min(width, self.width): width for width in reversed(WIDTHS)}
        return tuple((self.picture(str(widths[width])), width) for width in sorted(widths))

    @property
    def moving(self) -> str:
        """The address of the animation; "" if the photo does not move."""
        return self.picture("master") if self.animated else ""

    def picture(self, size: str) -> str:
        """Return the address of its picture in a size of the API."""
        return self.instead or f"/bookshelf/photos/{segment(self.id)}/image?size={size}"

    @property
    def blurred(self) -> str:
        """The placeholder as the address of a picture; "" if it is none."""
        text = self.placeholder.removeprefix("data:image/webp;base64,")
        try:
            is_webp = b64decode(text, validate=True)[8:12] == b"WEBP"
        except (NoBase64, ValueError):
            return ""
        return f"data:image/webp;base64,{text}" if is_webp else ""


class GalleryProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A person's own page. `avatar` is the id of a photo."""

    id: str
    name: str | None = None
    about: str = ""
    avatar: str = ""
    since: datetime | None = None


class MyComment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment of the caller, with its photo."""

    id: str
    text: str
    at: datetime
    photo: GalleryPhoto


class MyVote(msgspec.Struct, frozen=True, kw_only=True):
    """A vote of the caller, with its photo."""

    photo: GalleryPhoto
    way: int | str
    at: datetime

    @property
    def is_up(self) -> bool:
        """True for a vote for the photo."""
        return self.way in {1, UP}


class CommentLine(NamedTuple):
    """A comment with how long ago it was made; `removable` by the caller."""

    comment: GalleryComment
    ago: str
    removable: bool


class PhotoCard(NamedTuple):
    """A photo with what is shown around it: how long ago it was added, its comments; `own`: the caller's."""

    photo: GalleryPhoto
    ago: str
    lines: tuple[CommentLine, ...]
    own: bool


def person_of(caller: Caller) -> str | None:
    """Return the id of the person that looks at a page, as the API names people; None for a guest."""
    return None if caller.is_guest else person.person_of(caller)


def card_of(request: PageRequest, photo: GalleryPhoto) -> PhotoCard:
    """Return a photo as the caller sees it."""
    return _card(photo, request.now, request.language, request.caller)


def _card(photo: GalleryPhoto, now: datetime, language: str, caller: Caller) -> PhotoCard:
    lines = lines_of(photo, photo.last_comments, now, language, caller)
    own = photo.owner.id == person_of(caller)
    return PhotoCard(photo, ago(photo.added, now, language), lines, own)


def lines_of(
    photo: GalleryPhoto, comments: tuple[GalleryComment, ...], now: datetime, language: str, caller: Caller
) -> tuple[CommentLine, ...]:
    """Return comments as the caller sees them: their authors, and the owner of the photo, may remove them."""
    me = person_of(caller)
    may_all = person.moderates(caller) or photo.owner.id == me
    return tuple(
        CommentLine(one, ago(one.at, now, language), may_all or one.person.id == me) for one in comments
    )


def ago(then: datetime, now: datetime, language: str) -> str:
    """Return how long ago a time was, in the reader's language, like "3 hours ago"; "" for just now."""
    passed_s = (now - then).total_seconds()
    if passed_s < _MINUTE_S:
        return ""
    unit: Literal["minute", "day"] = "minute" if passed_s < _DAY_S else "day"
    return _ago(ceil(passed_s) // _STEP_S, unit, language)


@lru_cache(maxsize=2048)
def _ago(steps: int, unit: Literal["minute", "day"], language: str) -> str:
    """Return how long ago the middle of a step was: all times of a step round to the same text."""
    then = timedelta(seconds=-_STEP_S * (steps + 0.5))
    return str(format_timedelta(then, unit, threshold=1, add_direction=True, locale=language))
