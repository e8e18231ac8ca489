"""A file: an uploaded picture that is in the blob storage. Its id is the digest of its content."""

from typing import ClassVar

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.message import Command, Event, State

TOPIC = "files"


class FileStored(Event, frozen=True):
    """A picture is in the blob storage: its media type, bytes, and pixels."""

    TYPE: ClassVar[str] = "files.file-stored.v1"
    type: str
    bytes: int
    width: int
    height: int


class FileDeleted(Event, frozen=True):
    """A picture was deleted; the same one may be stored again."""

    TYPE: ClassVar[str] = "files.file-deleted.v1"


EVENTS = Catalogue(FileStored, FileDeleted)


class StoreFile(Command, frozen=True):
    """Record a picture that is in the blob storage."""

    TYPE: ClassVar[str] = "files.store-file.v1"
    type: str
    bytes: int
    width: int
    height: int


class DeleteFile(Command, frozen=True):
    """Delete a picture."""

    TYPE: ClassVar[str] = "files.delete-file.v1"


class StoredFile(State, frozen=True):
    """What is known of a file. `known`: it was stored once; `stored`: it was not deleted since."""

    known: bool = False
    stored: bool = False


def decide(state: StoredFile, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`."""
    match command:
        case StoreFile() if not state.stored:
            return [
                FileStored(type=command.type, bytes=command.bytes, width=command.width, height=command.height)
            ]
        case DeleteFile() if not state.known:
            raise NotFound("there is no such file")
        case DeleteFile() if state.stored:
            return [FileDeleted()]
    return []


def evolve(_state: StoredFile, event: Event) -> StoredFile:
    """Return the file after an event."""
    return StoredFile(known=True, stored=isinstance(event, FileStored))


FILE = Aggregate(
    name="file",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=StoredFile(),
    decide=decide,
    evolve=evolve,
    takes=(StoreFile, DeleteFile),
)
