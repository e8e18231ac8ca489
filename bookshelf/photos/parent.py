"""What the owners of votes and comments fold of a photo: whose it is, and whether it was removed."""

import re

import msgspec

from bookshelf.cqrs.errors import Gone, NotFound
from bookshelf.cqrs.message import Event, State
from bookshelf.cqrs.parent import SEPARATOR, Parent
from bookshelf.photos.events import EVENTS, CommentAdded, PhotoAdded, PhotoRemoved, VoteCast

_ID = re.compile(r"[A-Za-z0-9._:@-]{1,100}", re.ASCII)
_NO_PHOTO = "there is no such photo"


class PublishedPhoto(State, frozen=True):
    """A photo without its details. `owner` is empty before it is added."""

    owner: str = ""
    removed: bool = False


def evolve(state: PublishedPhoto, event: Event) -> PublishedPhoto:
    """Return the photo after an event."""
    match event:
        case PhotoAdded(owner=owner):
            return PublishedPhoto(owner=owner)
        case PhotoRemoved():
            return msgspec.structs.replace(state, removed=True)
    return state


def admits(state: PublishedPhoto, event: Event) -> bool:
    """Return False for a vote or comment that follows the removal of its photo: it has no effect.

    What takes a vote or comment back has one: the deletion of a profile ends once nothing is left.
    """
    return not state.removed or not isinstance(event, VoteCast | CommentAdded)


def check_published(state: PublishedPhoto) -> None:
    """Return if a photo can be voted for and commented on. Raises `Gone`, `NotFound`."""
    check_known(state)
    if state.removed:
        raise Gone("the photo was removed")


def check_known(state: PublishedPhoto) -> None:
    """Return if there is a photo, or was one. Raises `NotFound`."""
    if not state.owner:
        raise NotFound(_NO_PHOTO)


def is_id(text: str) -> bool:
    """Return True for a text that can be the id of a photo; others are asked of no database."""
    return _ID.fullmatch(text) is not None


def checked_id(photo: str) -> str:
    """Return an id that a photo can have. Raises `NotFound` for any other text."""
    if not is_id(photo):
        raise NotFound(_NO_PHOTO)
    return photo


def vote_key(photo: str, person: str) -> str:
    """Return the key of a person's vote for a photo. Raises `NotFound` if no photo can have the id."""
    return f"{checked_id(photo)}{SEPARATOR}v-{person}"


def comment_key(photo: str, comment: str) -> str:
    """Return the key of a comment on a photo. Raises `NotFound` if neither can have these ids."""
    if _ID.fullmatch(comment) is None:
        raise NotFound("there is no such comment")
    return f"{checked_id(photo)}{SEPARATOR}{COMMENT_PREFIX}{comment}"


#: What the ids of comments begin with in their keys.
COMMENT_PREFIX = "c-"
PARENT = Parent(
    catalogue=EVENTS,
    initial=PublishedPhoto(),
    evolve=evolve,
    folds=(PhotoAdded, PhotoRemoved),
    admits=admits,
)
