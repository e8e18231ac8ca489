"""Describes a photo anew, and removes a photo or a comment: one's own, or with a reason as a moderator."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from bookshelf.photos.pages.example_photos import example_cards, long_card
from bookshelf.photos.pages.models import GalleryComment, GalleryPhoto, PhotoCard, card_of, person_of
from bookshelf.photos.pages.one_photo import PHOTOS, api_path, page_path, read_photo
from bookshelf.photos.person import moderates
from bookshelf.site.api_adapters import ApiProblem, FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES = {
    "photo-changed": _("Saved."),
    "photo-removed": _("The photo is removed."),
    "comment-removed": _("The comment is removed."),
}
_MINE = "/gallery/me/photos"
#: How many of the newest comments are looked through for one that is removed.
_LOOKED_AT = 100
_NEEDS_REASON = _("Write the reason: it is kept with the removal.")


class PhotoEditForm(Form):
    """What the owner may change."""

    title: Annotated[str, Meta(max_length=200)] = ""
    description: Annotated[str, Meta(max_length=2000)] = ""
    credit: Annotated[str, Meta(max_length=200)] = ""


class RemovalForm(Form):
    """Why a moderator removes it; the owner gives no reason."""

    reason: Annotated[str, Meta(max_length=1000)] = ""


class PhotoEditModel(Model):
    """The photo that is described anew."""

    card: PhotoCard


class RemovalModel(Model):
    """The photo that is removed; `reasoned`: as a moderator, with the reason."""

    card: PhotoCard
    reasoned: bool


class CommentRemovalModel(Model):
    """The comment that is removed, None if it is among the older ones; `reasoned`: as a moderator.

    A moderator gives no reason for a comment of one's own.
    """

    card: PhotoCard
    comment: GalleryComment | None
    comment_id: str
    reasoned: bool


async def show_edit(request: PageRequest) -> Page:
    """Ask the owner for the changes."""
    return _edit_page(card_of(request, await read_photo(request)))


def _edit_page(card: PhotoCard) -> Page:
    photo = card.photo
    form = PhotoEditForm(title=photo.title, description=photo.description, credit=photo.credit or "")
    return Page("edit_photo.html", PhotoEditModel(card=card), form=form, version=_tag(photo))


def _tag(photo: GalleryPhoto) -> str | None:
    """Return the value for If-Match."""
    if photo.version is None:
        return None
    text = str(photo.version)
    return text if text.startswith('"') else f'"{text}"'


async def edit(request: PageRequest, form: PhotoEditForm) -> Redirect:
    """Save the title, the description and the credit; all three as they were typed. Raises `ApiProblem`."""
    if not form.title.strip():
        raise FormRefused(FieldFault("title", request.translate(_("Write a title."))))
    body = {"title": form.title, "description": form.description, "credit": form.credit}
    await request.api.patch(api_path(request), body, version=request.version)
    return Redirect(page_path(request.path["id"]), notice="photo-changed")


async def show_remove(request: PageRequest) -> Page:
    """Ask whether a photo is removed."""
    card = card_of(request, await read_photo(request))
    return _remove_page(card, reasoned=_is_reasoned(request, card.own))


def _remove_page(card: PhotoCard, *, reasoned: bool) -> Page:
    return Page("remove_photo.html", RemovalModel(card=card, reasoned=reasoned))


def _is_reasoned(request: PageRequest, own: bool) -> bool:  # noqa: FBT001 (a condition)
    return not own and moderates(request.caller)


async def remove(request: PageRequest, form: RemovalForm) -> Redirect:
    """Remove a photo. Raises `ApiProblem`, `FormRefused`."""
    photo = await read_photo(request)
    own = photo.owner.id == person_of(request.caller)
    await request.api.delete(target(api_path(request), text=_reason(request, form, own=own)))
    return Redirect(_MINE if own else "/gallery", notice="photo-removed")


def _reason(request: PageRequest, form: RemovalForm, *, own: bool) -> str | None:
    """Return the reason of a moderator, None of others. Raises `FormRefused` if it is missing."""
    if not _is_reasoned(request, own):
        return None
    if not form.reason.strip():
        raise FormRefused(FieldFault("reason", request.translate(_NEEDS_REASON)))
    return form.reason.strip()


async def _find(request: PageRequest, card: PhotoCard) -> GalleryComment | None:
    """Return the comment that a page is about; None if it is older than those that are looked through."""
    wanted = request.path["comment"]
    newest = card.photo.last_comments
    if all(one.id != wanted for one in newest) and card.photo.comments > len(newest):
        asked = target(f"{api_path(request)}/comments", rows=_LOOKED_AT)
        found = await request.api.try_get(asked, kind=tuple[GalleryComment, ...])
        newest = newest if found is None else found.body
    return next((one for one in newest if one.id == wanted), None)


async def show_remove_comment(request: PageRequest) -> Page:
    """Ask whether a comment is removed."""
    card = card_of(request, await read_photo(request))
    found = await _find(request, card)
    reasoned = _is_reasoned(request, _mine(request, card, found))
    return _comment_page(card, found, request.path["comment"], reasoned=reasoned)


def _mine(request: PageRequest, card: PhotoCard, comment: GalleryComment | None) -> bool:
    """Return True if the caller needs no reason: the photo is the caller's, or the comment."""
    return card.own or (comment is not None and comment.person.id == person_of(request.caller))


def _comment_page(
    card: PhotoCard, comment: GalleryComment | None, comment_id: str, *, reasoned: bool = False
) -> Page:
    model = CommentRemovalModel(card=card, comment=comment, comment_id=comment_id, reasoned=reasoned)
    return Page("remove_comment.html", model)


async def remove_comment(request: PageRequest, form: RemovalForm) -> Redirect:
    """Remove a comment. Raises `ApiProblem`, `FormRefused`."""
    card = card_of(request, await read_photo(request))
    found = await _find(request, card)
    unknown = found is None and not form.reason.strip()  # the API knows whose it is, and whether it needs one
    reason = _reason(request, form, own=unknown or _mine(request, card, found))
    path = f"{api_path(request)}/comments/{segment(request.path['comment'])}"
    try:
        await request.api.delete(target(path, text=reason))
    except ApiProblem as problem:
        if all(fault.field != "text" for fault in problem.faults):
            raise
        raise FormRefused(FieldFault("reason", request.translate(_NEEDS_REASON))) from None
    return Redirect(request.back(f"{page_path(card.photo.id)}#comments"), notice="comment-removed")


def _edit_examples() -> Mapping[str, Page]:
    return {"usual": _edit_page(example_cards()[0]), "long": _edit_page(long_card())}


def _remove_examples() -> Mapping[str, Page]:
    cards = example_cards()
    return {
        "usual": _remove_page(cards[0], reasoned=False),
        "moderated": _remove_page(cards[1], reasoned=True),
        "long": _remove_page(long_card(), reasoned=True),
    }


def _comment_examples() -> Mapping[str, Page]:
    card, long = example_cards()[0], long_card()
    comment = card.photo.last_comments[0]
    return {
        "usual": _comment_page(card, comment, comment.id),
        "older": _comment_page(card, None, "older", reasoned=True),
        "long": _comment_page(long, long.photo.last_comments[0], "long", reasoned=True),
    }


PAGES = (
    PageRoute(
        f"{PHOTOS}/{{id}}/edit",
        get=show_edit,
        post=edit,
        form=PhotoEditForm,
        title=_("Edit the photo"),
        examples=_edit_examples,
    ),
    PageRoute(
        f"{PHOTOS}/{{id}}/remove",
        get=show_remove,
        post=remove,
        form=RemovalForm,
        title=_("Remove the photo?"),
        examples=_remove_examples,
    ),
    PageRoute(
        f"{PHOTOS}/{{id}}/comments/{{comment}}/remove",
        get=show_remove_comment,
        post=remove_comment,
        form=RemovalForm,
        title=_("Remove the comment?"),
        examples=_comment_examples,
    ),
)
