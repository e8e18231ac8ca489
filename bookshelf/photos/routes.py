"""The routes of the service uploads that are plain commands: describe a photo, and remove it."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.photos.events import StoredImage
from bookshelf.photos.fields import Credit, Description, Reason, Title
from bookshelf.photos.images import images_of
from bookshelf.photos.person import moderates, person_of
from bookshelf.photos.photo import PHOTO, DescribePhoto, Photo, RemovePhoto


class PhotoChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of a photo to change."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    credit: Credit | UnsetType = UNSET


class PhotoRemoval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a moderator removes it."""

    text: Reason = ""


class OwnFields(msgspec.Struct, frozen=True, kw_only=True):
    """A photo without counts, comments and names: those are rows of the timelines.

    `width` and `height` are those of the master, in pixels. `images` has each size that a request for the
    image can name. `placeholder` is a tiny WebP picture in base64.
    """

    id: str
    owner: str
    title: Annotated[str, Meta(examples=["Low tide"])]
    description: str
    credit: str
    added: Annotated[str, Meta(examples=["2026-11-25T09:30:00.123456Z"])]
    width: int
    height: int
    animated: bool
    placeholder: str
    images: dict[str, StoredImage]


def own_fields(photo: str, state: Photo) -> OwnFields:
    """Return a photo's own fields, of a state that has details."""
    details = state.details
    assert details is not None  # noqa: S101 (it is published)
    return OwnFields(
        id=photo,
        owner=details.owner,
        title=details.title,
        description=details.description,
        credit=details.credit,
        added=f"{details.added:%Y-%m-%dT%H:%M:%S.%f}Z",
        width=details.master.width,
        height=details.master.height,
        animated=details.animated,
        placeholder=details.placeholder,
        images=dict(images_of(details)),
    )


COMMAND_ROUTES = (
    CommandRoute(
        method="PATCH",
        path="/photos/{id}",
        summary="Change the title, description or credit of a photo",
        aggregate=PHOTO,
        body=PhotoChanges,
        command=lambda body, context: DescribePhoto(
            person=person_of(context.caller),
            title=body.title,
            description=body.description,
            credit=body.credit,
        ),
        answer=own_fields,
        returns=OwnFields,
        status=200,
    ),
    CommandRoute(
        method="DELETE",
        path="/photos/{id}",
        summary="Remove a photo",
        aggregate=PHOTO,
        body=Empty,
        body_required=False,
        params=PhotoRemoval,
        command=lambda _body, context: RemovePhoto(
            person=person_of(context.caller),
            moderates=moderates(context.caller),
            text=context.params.text,
        ),
    ),
)
