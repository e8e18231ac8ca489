"""Reads the photos that are published, and the digests of their images, from the records of the log."""

from collections.abc import Iterable, Mapping

from bookshelf.cqrs.errors import Malformed
from bookshelf.photos.events import EVENTS, PhotoAdded, PhotoRemoved, StoredImage


class PublishedPhotos:
    """The photos of the records that were added: the images of each, and what cannot be read."""

    def __init__(self) -> None:
        self.images: dict[str, tuple[StoredImage, ...]] = {}
        self.removed: set[str] = set()
        self.unreadable: list[str] = []

    def add(self, key: str, value: bytes) -> None:
        """Add a record of the topic, in the order of the log."""
        try:
            _, event = EVENTS.read(value)
        except Malformed as fault:
            self.unreadable.append(f"{key[:100]}: {fault}")
            return
        if isinstance(event, PhotoAdded) and key not in self.removed:
            self.images[key] = (*event.renditions, event.master)
        elif isinstance(event, PhotoRemoved):
            self.images.pop(key, None)
            self.removed.add(key)

    @property
    def digests(self) -> frozenset[str]:
        """The digests of all images of photos that are not removed."""
        return frozenset(image.digest for images in self.images.values() for image in images)

    def photos_of(self, digests: Iterable[str]) -> Mapping[str, list[str]]:
        """Return the photos that name each of these digests."""
        wanted = frozenset(digests)
        named: dict[str, list[str]] = {}
        for photo, images in self.images.items():
            for digest in {image.digest for image in images} & wanted:
                named.setdefault(digest, []).append(photo)
        return named
