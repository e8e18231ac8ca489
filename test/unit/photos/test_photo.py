"""A photo: published, described, and removed by its owner or a moderator."""

from datetime import UTC, datetime

import pytest
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Gone, Invalid, NotFound, NotYours, Refused
from bookshelf.cqrs.message import Command
from bookshelf.photos.events import PhotoAdded, PhotoDescribed, PhotoRemoved, StoredImage
from bookshelf.photos.images import images_of
from bookshelf.photos.photo import PHOTO, AddPhoto, DescribePhoto, RemovePhoto


def image(width: int) -> StoredImage:
    return StoredImage(digest=f"{width:064d}", width=width, height=width, bytes=9, type="image/webp")


FIELDS = {
    "owner": "ann",
    "title": "Low tide",
    "description": "",
    "credit": "",
    "added": datetime(2026, 11, 25, 9, 30, tzinfo=UTC),
    "master": image(4000),
    "renditions": (image(320), image(1024), image(2048)),
    "placeholder": "UklGRg==",
    "animated": False,
}
ADDED = PhotoAdded(**FIELDS)  # type: ignore[arg-type]
REMOVED = PhotoRemoved(reason="owner")
ADD = AddPhoto(**FIELDS)  # type: ignore[arg-type]


def test_a_photo_is_published_once() -> None:
    given(PHOTO).when(ADD).then(ADDED)
    given(PHOTO, ADDED).when(ADD).refused(Conflict, field="id")
    given(PHOTO, ADDED, REMOVED).when(ADD).refused(Conflict, field="id")


def test_only_what_differs_is_changed() -> None:
    given(PHOTO, ADDED).when(DescribePhoto(person="ann", title="Low tide")).then()
    given(PHOTO, ADDED).when(DescribePhoto(person="ann", title="High tide", credit="")).then(
        PhotoDescribed(title="High tide")
    )
    described = PhotoDescribed(title="High tide")
    given(PHOTO, ADDED, described).when(DescribePhoto(person="ann", title="High tide")).then()


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (DescribePhoto(person="ben", title="Mine"), NotYours),
        (RemovePhoto(person="ben"), NotYours),
        (RemovePhoto(person="ben", deletes_profile=True), NotYours),
        (RemovePhoto(person="ben", moderates=True), Invalid),
        (RemovePhoto(person="ben", moderates=True, text="  "), Invalid),
        (RemovePhoto(person="ann", text="why"), Invalid),
    ],
)
def test_only_its_owner_changes_a_photo_and_a_moderator_has_a_reason(
    command: Command, refusal: type[Refused]
) -> None:
    field = "text" if refusal is Invalid else None
    given(PHOTO, ADDED).when(command).refused(refusal, field=field)


def test_a_photo_is_removed_once_for_a_reason() -> None:
    given(PHOTO, ADDED).when(RemovePhoto(person="ann")).then(REMOVED)
    given(PHOTO, ADDED).when(RemovePhoto(person="ann", deletes_profile=True)).then(
        PhotoRemoved(reason="profile-deleted")
    )
    given(PHOTO, ADDED).when(RemovePhoto(person="ben", moderates=True, text="spam")).then(
        PhotoRemoved(reason="moderator", text="spam")
    )
    given(PHOTO, ADDED, REMOVED).when(RemovePhoto(person="ann")).then()
    given(PHOTO, ADDED, REMOVED).when(RemovePhoto(person="ben")).refused(NotYours)


def test_what_was_never_there_and_what_was_removed_differ() -> None:
    given(PHOTO).when(RemovePhoto(person="ann")).refused(NotFound)
    given(PHOTO).when(DescribePhoto(person="ann", title="x")).refused(NotFound)
    given(PHOTO, ADDED, REMOVED).when(DescribePhoto(person="ann", title="x")).refused(Gone)
    given(PHOTO, ADDED, REMOVED).when(DescribePhoto(person="ben", title="x")).refused(NotYours)


def test_each_size_has_the_smallest_still_that_is_wide_enough_or_the_largest() -> None:
    assert {size: shown.width for size, shown in images_of(ADDED).items()} == {
        "320": 320,
        "1024": 1024,
        "2048": 2048,
        "master": 4000,
        "still": 2048,
    }
    small = PhotoAdded(**{**FIELDS, "renditions": (image(320), image(800))})  # type: ignore[arg-type]
    assert [shown.width for shown in images_of(small).values()] == [320, 800, 800, 4000, 800]
