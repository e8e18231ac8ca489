"""The events of photos, and the catalogue of their topic.

Their keys are the id of a photo, `PHOTO~v-PERSON` of a vote, `PHOTO~c-ID` of a comment, and the id of a
person for a profile. All records of a photo, its votes and its comments are in one partition.
"""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event, sealed

TOPIC = "photos"


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the blob storage: the digest of its bytes, its pixels, bytes and media type."""

    digest: str
    width: int
    height: int
    bytes: int
    type: str


class PhotoAdded(Event, frozen=True, kw_only=True):
    """A photo is published.

    `renditions` are stills, the smallest first; `master` is the largest image, that of an animation moves.
    `placeholder` is a tiny WebP picture in base64.
    """

    TYPE: ClassVar[str] = "photos.photo-added.v1"
    owner: str
    title: str
    description: str = ""
    credit: str = ""
    added: datetime
    master: StoredImage
    renditions: tuple[StoredImage, ...]
    placeholder: str
    animated: bool = False


class PhotoDescribed(Event, frozen=True, kw_only=True):
    """The photo has another title, description or credit: only the changed ones."""

    TYPE: ClassVar[str] = "photos.photo-described.v1"
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    credit: str | UnsetType = UNSET


class PhotoRemoved(Event, frozen=True, kw_only=True):
    """The photo is no longer published. `reason` is owner, moderator (with a `text`) or profile-deleted."""

    TYPE: ClassVar[str] = "photos.photo-removed.v1"
    reason: str
    text: str = ""


class VoteCast(Event, frozen=True, kw_only=True):
    """A person votes for a photo: `way` is 1 or -1. `previous` is the vote that this one replaces."""

    TYPE: ClassVar[str] = "photos.vote-cast.v1"
    way: int
    at: datetime
    previous: int | None = None
    previous_at: datetime | None = None


class VoteWithdrawn(Event, frozen=True, kw_only=True):
    """A person's vote for a photo counts no more; `previous` is what it was."""

    TYPE: ClassVar[str] = "photos.vote-withdrawn.v1"
    previous: int
    previous_at: datetime


class CommentAdded(Event, frozen=True, kw_only=True):
    """A person comments on a photo."""

    TYPE: ClassVar[str] = "photos.comment-added.v1"
    person: str
    text: Annotated[str, sealed("comment")]
    at: datetime


class CommentRemoved(Event, frozen=True, kw_only=True):
    """A comment is removed. `reason`: author, photo-owner, moderator (with a `text`) or profile-deleted."""

    TYPE: ClassVar[str] = "photos.comment-removed.v1"
    reason: str
    text: str = ""


class ProfileRegistered(Event, frozen=True, kw_only=True):
    """A person has a profile. `avatar` is the id of a photo."""

    TYPE: ClassVar[str] = "photos.profile-registered.v1"
    name: Annotated[str, sealed("name")]
    about: Annotated[str, sealed("about")] = ""
    avatar: str = ""
    at: datetime


class ProfileChanged(Event, frozen=True, kw_only=True):
    """The profile has another name, text or avatar: only the changed ones. An empty avatar is the default."""

    TYPE: ClassVar[str] = "photos.profile-changed.v1"
    name: Annotated[str, sealed("name")] | UnsetType = UNSET
    about: Annotated[str, sealed("about")] | UnsetType = UNSET
    avatar: str | UnsetType = UNSET


class ProfileClosing(Event, frozen=True, kw_only=True):
    """The profile is hidden, and all that the person has published is removed, in rounds."""

    TYPE: ClassVar[str] = "photos.profile-closing.v1"
    round: int
    at: datetime


class ProfileClosed(Event, frozen=True, kw_only=True):
    """Nothing that the person has published is left."""

    TYPE: ClassVar[str] = "photos.profile-closed.v1"


class ProfileRechecked(Event, frozen=True, kw_only=True):
    """What was under way during a deletion is looked for again: all that was published up to `until`."""

    TYPE: ClassVar[str] = "photos.profile-rechecked.v1"
    number: int
    until: datetime


PHOTO_EVENTS: tuple[type[Event], ...] = (PhotoAdded, PhotoDescribed, PhotoRemoved)
VOTE_EVENTS: tuple[type[Event], ...] = (VoteCast, VoteWithdrawn)
COMMENT_EVENTS: tuple[type[Event], ...] = (CommentAdded, CommentRemoved)
PROFILE_EVENTS: tuple[type[Event], ...] = (
    ProfileRegistered,
    ProfileChanged,
    ProfileClosing,
    ProfileClosed,
    ProfileRechecked,
)
EVENTS = Catalogue(*PHOTO_EVENTS, *VOTE_EVENTS, *COMMENT_EVENTS, *PROFILE_EVENTS)
