"""A photo of Ann, as its event."""

from datetime import UTC, datetime

from bookshelf.photos.events import PhotoAdded, StoredImage


def stored_image(width: int) -> StoredImage:
    """An image as it is in the blob storage."""
    return StoredImage(digest=f"{width:064d}", width=width, height=width, bytes=9, type="image/webp")


def photo_added(owner: str, at: datetime, title: str = "Low tide") -> PhotoAdded:
    """A photo of a person is published."""
    return PhotoAdded(
        owner=owner,
        title=title,
        added=at,
        master=stored_image(4000),
        renditions=(stored_image(320), stored_image(1024), stored_image(2048)),
        placeholder="UklGRg==",
    )


ADDED = photo_added("ann", datetime(2026, 11, 25, 9, 30, tzinfo=UTC))
