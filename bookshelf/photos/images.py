"""The view of images: which blob is shown for a photo and a size, and which photos were removed."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, bindparam, delete, insert, select

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.photos.events import EVENTS, TOPIC, PhotoAdded, PhotoRemoved, StoredImage
from bookshelf.storage.checkpoints import count_dead_letters
from bookshelf.storage.statements import TEXT

#: The namespace of the images in the blob storage.
NAMESPACE = "photos"
#: The sizes that a request can name: widths of stills, the largest still, and the largest image.
WIDTHS = (320, 1024, 2048)
STILL, MASTER = "still", "master"
SIZES = (*map(str, WIDTHS), MASTER, STILL)

TABLES = MetaData()
images = Table(
    "photo_image",
    TABLES,
    Column("photo", TEXT, primary_key=True),
    Column("size", TEXT, primary_key=True),
    Column("digest", TEXT, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("type", TEXT, nullable=False),
)
Index("photo_image_by_digest", images.c.digest)
removed_photos = Table("photo_removed", TABLES, Column("photo", TEXT, primary_key=True))

_ADD = insert(images)
_DROP = delete(images).where(images.c.photo == bindparam("row"))
_MARK = insert(removed_photos)
# made once: to make a statement takes longer than to run it
_IMAGE = select(images).where(
    images.c.photo == bindparam("photo", type_=TEXT), images.c.size == bindparam("size", type_=TEXT)
)


def images_of(event: PhotoAdded) -> Mapping[str, StoredImage]:
    """Return the image of each size: the smallest still that is wide enough, or else the largest one."""
    largest = event.renditions[-1]
    found = {
        str(width): next((image for image in event.renditions if image.width >= width), largest)
        for width in WIDTHS
    }
    return {**found, MASTER: event.master, STILL: largest}


def _added(event: PhotoAdded, recorded: Recorded) -> Iterable[Change]:
    for size, image in images_of(event).items():
        yield (
            _ADD,
            {
                "photo": recorded.subject,
                "size": size,
                "digest": image.digest,
                "width": image.width,
                "height": image.height,
                "bytes": image.bytes,
                "type": image.type,
            },
        )


def _removed(_event: PhotoRemoved, recorded: Recorded) -> Iterable[Change]:
    yield _DROP, {"row": recorded.subject}
    yield _MARK, {"photo": recorded.subject}


HANDLERS: Mapping[type[Event], Handler] = {PhotoAdded: _added, PhotoRemoved: _removed}
VIEW = View(name="images", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)


def image_of(db: Any, photo: str, size: str) -> StoredImage | None:  # noqa: ANN401 (the storage's connection)
    """Return the image of a photo in a size; None if the photo is not there."""
    row = db.execute(_IMAGE, {"photo": photo, "size": size}).first()
    if row is None:
        return None
    return StoredImage(digest=row.digest, width=row.width, height=row.height, bytes=row.bytes, type=row.type)


def is_removed(db: Any, photo: str) -> bool:  # noqa: ANN401 (as above)
    """Return True if the photo was there once, and was removed."""
    return db.scalar(select(removed_photos.c.photo).where(removed_photos.c.photo == photo)) is not None


class UnappliedRecords(Exception):
    """The view has dead letters, so it does not have every photo."""


def named_digests(db: Any, digests: Iterable[str]) -> frozenset[str]:  # noqa: ANN401 (as above)
    """Return those of these digests that a photo which is not removed names. Raises `UnappliedRecords`."""
    if count_dead_letters(db):
        raise UnappliedRecords("the view images has dead letters; resolve them with `bookshelf dlq`")
    query = select(images.c.digest).where(images.c.digest.in_(list(digests))).distinct()
    return frozenset(db.scalars(query))
