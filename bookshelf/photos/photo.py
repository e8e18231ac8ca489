"""A photo: published by its owner, described anew, and removed by its owner or by a moderator."""

from datetime import datetime
from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Gone, Invalid, NotFound, NotYours
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.photos.events import (
    EVENTS,
    PHOTO_EVENTS,
    TOPIC,
    PhotoAdded,
    PhotoDescribed,
    PhotoRemoved,
    StoredImage,
)


class AddPhoto(Command, frozen=True, kw_only=True):
    """Publish a photo whose images are in the blob storage."""

    TYPE: ClassVar[str] = "photos.add-photo.v1"
    owner: str
    title: str
    description: str = ""
    credit: str = ""
    added: datetime
    master: StoredImage
    renditions: tuple[StoredImage, ...]
    placeholder: str
    animated: bool = False


class DescribePhoto(Command, frozen=True, kw_only=True):
    """Change what is given, as this person."""

    TYPE: ClassVar[str] = "photos.describe-photo.v1"
    person: str
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    credit: str | UnsetType = UNSET


class RemovePhoto(Command, frozen=True, kw_only=True):
    """Publish the photo no more, as this person.

    `moderates`: the person may remove photos of others, for a reason, the `text`. `deletes_profile`: all that
    the person has published is removed.
    """

    TYPE: ClassVar[str] = "photos.remove-photo.v1"
    person: str
    moderates: bool = False
    text: str = ""
    deletes_profile: bool = False


class Photo(State, frozen=True):
    """The state of a photo; it has no details before it is published. A removed one keeps its owner alone."""

    details: PhotoAdded | None = None
    owner: str = ""
    removed: bool = False


def decide(state: Photo, command: Command) -> list[Event]:
    """Return the events of a command. Raises `Conflict`, `Gone`, `Invalid`, `NotFound`, `NotYours`."""
    if isinstance(command, AddPhoto):
        if state.owner:
            raise Conflict("this id is taken", field="id")
        return [PhotoAdded(**msgspec.structs.asdict(command))]
    if not state.owner:
        raise NotFound("there is no such photo")
    match command:
        case RemovePhoto():
            return _removed(state, command)
        case DescribePhoto(person=person) if state.details is None:
            raise Gone("the photo was removed") if person == state.owner else _not_yours()
        case DescribePhoto():
            return _described(state, command)
    return []


def _removed(state: Photo, command: RemovePhoto) -> list[Event]:
    if command.person != state.owner and not command.moderates:
        raise _not_yours()
    if state.removed:
        return []
    if command.person == state.owner and not command.text:
        return [PhotoRemoved(reason="profile-deleted" if command.deletes_profile else "owner")]
    if not command.moderates:
        raise Invalid("is the reason of a moderator; leave it out for your own photo", field="text")
    if not command.text.strip():
        raise Invalid("is needed: the reason for the removal", field="text")
    return [PhotoRemoved(reason="moderator", text=command.text)]


def _described(state: Photo, command: DescribePhoto) -> list[Event]:
    if command.person != state.owner:
        raise _not_yours()
    given = msgspec.structs.asdict(command)
    given.pop("person")
    changed = {
        name: value
        for name, value in given.items()
        if value is not UNSET and value != getattr(state.details, name)
    }
    return [PhotoDescribed(**changed)] if changed else []


def _not_yours() -> NotYours:
    return NotYours("this is the photo of another person; nothing was changed")


def evolve(state: Photo, event: Event) -> Photo:
    """Return the photo after an event."""
    match event:
        case PhotoAdded(owner=owner):
            return Photo(details=event, owner=owner)
        case PhotoDescribed() if state.details is not None:
            changed = {
                name: value for name, value in msgspec.structs.asdict(event).items() if value is not UNSET
            }
            return msgspec.structs.replace(state, details=msgspec.structs.replace(state.details, **changed))
        case PhotoRemoved():
            return Photo(owner=state.owner, removed=True)
    return state


PHOTO = Aggregate(
    name="photo",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Photo(),
    decide=decide,
    evolve=evolve,
    takes=(AddPhoto, DescribePhoto, RemovePhoto),
    folds=PHOTO_EVENTS,
)
